import type { MemberLocation } from "../table/row.ts";
import type { MemberCursor } from "../table/member-source.ts";
import type { PlannedEntry } from "./planned-entry.ts";

/** A run of a member's plain bytes that belongs at one place of a file. */
export interface PlannedRun {
  readonly file: PlannedEntry;
  readonly plainOffset: number;
  readonly length: number;
  readonly filePosition: number;
}

/** Whether a run is all content of its file, which is then created whole. */
export function isWholeFile({ file, length }: PlannedRun): boolean {
  return length === file.entry.size;
}

/** A member that holds bytes of files that are to be written. */
export interface PlannedMember {
  readonly location: MemberLocation;
  readonly runs: readonly PlannedRun[];
}

/** Writers put at most a thousand files into a member. Whoever put more there has it read once for so many. */
const RUNS_AT_ONCE = 2048;

/** The members that hold the content of the files, in the order of the archive; `files` come in that order, too. */
export async function* planMembers(
  members: MemberCursor,
  files: Iterable<PlannedEntry>,
): AsyncGenerator<PlannedMember, void, undefined> {
  let open: { location: MemberLocation; index: number; runs: PlannedRun[] } | undefined;
  for (const file of files) {
    let index = file.entry.member;
    let plainOffset = file.entry.offset;
    for (let filePosition = 0; filePosition < file.entry.size;) {
      if (open === undefined || open.index !== index || open.runs.length === RUNS_AT_ONCE) {
        if (open !== undefined && open.runs.length > 0) yield open;
        open = { location: await members.at(index), index, runs: [] };
      }
      const length = Math.min(open.location.plainLength - plainOffset, file.entry.size - filePosition);
      if (length > 0) open.runs.push({ file, plainOffset, length, filePosition });
      filePosition += length;
      plainOffset = 0;
      index++;
    }
  }
  if (open !== undefined && open.runs.length > 0) yield open;
}
