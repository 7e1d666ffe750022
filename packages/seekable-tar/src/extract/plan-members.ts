import type { MemberLocation } from "../table/row.ts";
import type { SeekArchive } from "../table/seek-table.ts";
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

/** The members that hold the content of the files, in the order of the archive; `files` come in that order, too. */
export function* planMembers(
  members: SeekArchive["members"],
  files: Iterable<PlannedEntry>,
): Generator<PlannedMember, void, undefined> {
  let open: { index: number; runs: PlannedRun[] } | undefined;
  for (const file of files) {
    for (const { index, ...run } of runsOf(members, file)) {
      if (open !== undefined && open.index !== index) {
        yield { location: members.get(open.index), runs: open.runs };
        open = undefined;
      }
      open ??= { index, runs: [] };
      open.runs.push(run);
    }
  }
  if (open !== undefined) yield { location: members.get(open.index), runs: open.runs };
}

function* runsOf(
  members: SeekArchive["members"],
  file: PlannedEntry,
): Generator<PlannedRun & { index: number }, void, undefined> {
  let index = file.entry.member;
  let plainOffset = file.entry.offset;
  for (let filePosition = 0; filePosition < file.entry.size;) {
    const length = Math.min(members.plainLength(index) - plainOffset, file.entry.size - filePosition);
    if (length > 0) yield { index, file, plainOffset, length, filePosition };
    filePosition += length;
    plainOffset = 0;
    index++;
  }
}
