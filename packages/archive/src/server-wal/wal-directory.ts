import { join } from "node:path";
import { statIfPresent } from "@soar/durable-files";
import { lsnOfSegmentIndex, parseWalSegment } from "@soar/pg-tools";
import { archiveStatusDirectory } from "./archive-status.ts";
import { freeBytes, listDirectory } from "./list-directory.ts";
import type { PositionSample } from "./position-history.ts";

/** `pg_wal` and the file system that it lies on. */
export interface WalDirectory {
  readonly bytes: number;
  /** What the server's user may still write there. */
  readonly freeBytes: number;
}

/** Rejects with `FILE_UNREADABLE`. */
export async function readWalDirectory(dataDir: string): Promise<WalDirectory> {
  const directory = join(dataDir, "pg_wal");
  const free = await freeBytes(directory);
  let bytes = 0;
  for (const name of await listDirectory(directory)) {
    // PostgreSQL renames and removes segments all the time.
    const stats = await statIfPresent(join(directory, name));
    if (stats?.isFile() === true) bytes += stats.size;
  }
  return { bytes, freeBytes: free };
}

/**
 * When the segments of the newest timeline were finished, as far as `archive_status` still knows, by position: a
 * file there appears when a segment is finished, and keeps its time when it is renamed to `.done`.
 */
export async function readFinishedSegments(dataDir: string, segmentSize: number): Promise<PositionSample[]> {
  const directory = archiveStatusDirectory(dataDir);
  const finished: { readonly timeline: number; readonly lsn: bigint; readonly atMs: number }[] = [];
  for (const file of await listDirectory(directory)) {
    const [, name] = /^([0-9A-F]{24})\.(?:ready|done)$/.exec(file) ?? [];
    const stats = name === undefined ? undefined : await statIfPresent(join(directory, file));
    if (name === undefined || stats === undefined) continue;
    const { timeline, index } = parseWalSegment(name, segmentSize);
    finished.push({ timeline, lsn: lsnOfSegmentIndex(index + 1, segmentSize), atMs: stats.mtimeMs });
  }
  const newest = finished.reduce((most, { timeline }) => Math.max(most, timeline), 0);
  return finished
    .filter(({ timeline }) => timeline === newest)
    .sort((a, b) => (a.lsn < b.lsn ? -1 : 1))
    .map(({ lsn, atMs }) => ({ lsn, atMs }));
}

/** When a file that waits was finished; undefined when PostgreSQL was answered meanwhile. */
export async function finishedAt(dataDir: string, name: string): Promise<number | undefined> {
  return (await statIfPresent(join(archiveStatusDirectory(dataDir), `${name}.ready`)))?.mtimeMs;
}
