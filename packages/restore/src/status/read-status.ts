import { join } from "node:path";
import { readTextIfPresent } from "@soar/durable-files";
import { openOrdinaryIfPresent } from "@soar/durable-files/if-present";
import { readClusterState } from "@soar/pg-tools/cluster";
import { formatLsn, lsnOfSegmentIndex, parseLsn, parseWalSegment } from "@soar/pg-tools";
import { RESTORE_STATE_DIRECTORY } from "../data-directory.ts";
import { isFile } from "../is-file.ts";
import { parseLineageTable } from "../wal/lineage-table.ts";
import { isAtWork } from "./restore-lock.ts";
import type { RestoreRecord } from "./restore-record.ts";
import { readUnfinished } from "./unfinished.ts";

/** How far a restore has got, read from what it leaves on disk. */
export interface RestoreStatus {
  readonly record: RestoreRecord;
  /** Whether the process that restores lives. Recovery may go on without it. */
  readonly running: boolean;
  /** Recovery is at least here: the beginning of the last segment that was delivered. Undefined before the first one. */
  readonly replayedLsn: string | undefined;
  /** Segments that recovery was given, of those up to the target. */
  readonly segments: { readonly replayed: number; readonly total: number } | undefined;
  /** Of the phase that runs; undefined while nothing can be told. A download that was interrupted gets no further; recovery may. */
  readonly remainingMs: number | undefined;
  /** Of a restore that ended at its target as it was asked: what its server does by now. */
  readonly atTarget: "paused" | "shut-down" | "gone-on" | undefined;
}

/** Undefined when no restore is in progress in the directory, and none stays at its target there. Looks only. */
export async function readRestoreStatus(dataDir: string): Promise<RestoreStatus | undefined> {
  const record = await readUnfinished(dataDir);
  if (record === undefined) return undefined;
  const running = await isAtWork(dataDir);
  const common = { record, running, atTarget: undefined };
  const nothing = { replayedLsn: undefined, segments: undefined, remainingMs: undefined };
  if (record.phase === "finish" || record.phase === "opened") return { ...common, ...nothing };
  if (record.phase === "at-target") return { ...common, ...nothing, atTarget: await serverAtTarget(dataDir) };
  if (record.phase === "fetch")
    return {
      ...common,
      replayedLsn: undefined,
      segments: undefined,
      remainingMs: running
        ? remaining(record.fetchedBytes + record.sparedBytes, record.totalBytes, Date.parse(record.startedAt))
        : undefined,
    };
  return { ...common, ...(await readReplay(join(dataDir, RESTORE_STATE_DIRECTORY), record)) };
}

async function serverAtTarget(dataDir: string): Promise<RestoreStatus["atTarget"]> {
  if (!(await isFile(join(dataDir, "recovery.signal")))) return "gone-on";
  return (await readClusterState(dataDir)).running ? "paused" : "shut-down";
}

async function readReplay(
  stateDir: string,
  record: RestoreRecord,
): Promise<Pick<RestoreStatus, "replayedLsn" | "segments" | "remainingMs">> {
  const nothing = { replayedLsn: undefined, segments: undefined, remainingMs: undefined };
  const [tablePath, logPath] = [join(stateDir, "lineage.json"), join(stateDir, "server.log")];
  const [text, log] = [
    await readTextIfPresent(tablePath, { within: { base: stateDir } }),
    await readEnds(logPath, record.logOffset),
  ];
  if (text === undefined || log === undefined) return nothing;
  const table = parseLineageTable(text, tablePath);
  const index = restoredIn(log.end, table.segmentSize).at(-1);
  if (index === undefined) return nothing;
  // An earlier run may have replayed more.
  const first = Math.min(...restoredIn(log.beginning, table.segmentSize));
  const last = Number((parseLsn(record.stopLsn) - 1n) / BigInt(table.segmentSize));
  const segments = { replayed: index - table.firstIndex, total: last - table.firstIndex + 1 };
  return {
    replayedLsn: formatLsn(lsnOfSegmentIndex(index, table.segmentSize)),
    segments,
    remainingMs:
      record.recoveryBegunAt === undefined
        ? undefined
        : remaining(index - first, last + 1 - first, Date.parse(record.recoveryBegunAt)),
  };
}

/** Indices of the segments that a piece of the log says to have been delivered. */
function restoredIn(log: string, segmentSize: number): number[] {
  return [...log.matchAll(/restored log file "([0-9A-F]{24})" from archive/g)].map(
    ([, name = ""]) => parseWalSegment(name, segmentSize).index,
  );
}

/** At the pace so far. */
function remaining(done: number, total: number, begunAt: number): number | undefined {
  return done <= 0 ? undefined : Math.round(((Date.now() - begunAt) / done) * Math.max(0, total - done));
}

/** Enough of either end of the log to hold a segment's line, which is about 120 bytes long. */
const END_BYTES = 64 * 1024;

/** Of what one recovery has written. */
async function readEnds(
  path: string,
  from: number,
): Promise<{ readonly beginning: string; readonly end: string } | undefined> {
  await using file = await openOrdinaryIfPresent(path);
  if (file === undefined) return undefined;
  const { size } = await file.stat();
  const read = async (start: number): Promise<string> => {
    const length = Math.max(0, Math.min(END_BYTES, size - start));
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, undefined, start);
    return buffer.toString("utf8", 0, bytesRead);
  };
  return { beginning: await read(from), end: await read(Math.max(from, size - END_BYTES)) };
}
