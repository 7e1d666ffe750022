import { parseLsn } from "@soar/pg-tools";
import { parseRelationPath } from "@soar/pg-tools/page-checksum";
import type { BackupRecord } from "@soar/repository";
import type { MemberLocation, PlacedEntry, SeekArchive } from "@soar/seekable-tar";
import { pathInCluster } from "../quick/check-table.ts";
import type { PageRules } from "./verify-task.ts";

/** A member and what it holds. */
export interface PlannedMember {
  /** In its archive. */
  readonly index: number;
  readonly location: MemberLocation;
  readonly runs: readonly PlannedRun[];
  /** It holds nothing but bytes of one file: no header of the tar. */
  readonly isContent: boolean;
}

/** Bytes of one file in a member. */
export interface PlannedRun {
  readonly entry: PlacedEntry;
  /** Below the data directory. */
  readonly path: string;
  readonly plainOffset: number;
  readonly length: number;
  readonly filePosition: number;
  readonly pages: PageRules | undefined;
}

/** PostgreSQL starts another file after 1 GiB. */
const FILE_BYTES = 1024 ** 3;

/** All members of an archive in the order of the tar stream. */
export function* planMembers(archive: SeekArchive, record: BackupRecord): Generator<PlannedMember> {
  const { members } = archive;
  const runs = runsOf(archive, record);
  let next = runs.next();
  for (let index = 0; index < members.length; index++) {
    const own: PlannedRun[] = [];
    for (; next.done !== true && next.value.index === index; next = runs.next()) own.push(next.value.run);
    const location = members.get(index);
    yield { index, location, runs: own, isContent: own.length === 1 && own[0]?.length === location.plainLength };
  }
}

function* runsOf(
  archive: SeekArchive,
  record: BackupRecord,
): Generator<{ readonly index: number; readonly run: PlannedRun }, undefined> {
  for (const entry of archive.entries) {
    const path = pathInCluster(archive, record, entry.path);
    let [index, plainOffset] = [entry.member, entry.offset];
    for (let filePosition = 0; filePosition < entry.size;) {
      const length = Math.min(archive.members.plainLength(index) - plainOffset, entry.size - filePosition);
      if (length > 0)
        yield {
          index,
          run: { entry, path, plainOffset, length, filePosition, pages: pagesOf(path, filePosition, record) },
        };
      filePosition += length;
      plainOffset = 0;
      index += 1;
    }
  }
  return undefined;
}

/** Undefined for bytes that are no whole pages of a relation, and for a cluster without data checksums. */
function pagesOf(path: string, filePosition: number, record: BackupRecord): PageRules | undefined {
  const relation = record.dataChecksums ? parseRelationPath(path) : undefined;
  const blockSize = Number(record.settings["block_size"] ?? 8192);
  if (relation === undefined || filePosition % blockSize !== 0) return undefined;
  return {
    firstBlock: (relation.segment * FILE_BYTES + filePosition) / blockSize,
    blockSize,
    changedBefore: parseLsn(record.startLsn),
  };
}
