import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfPresent } from "@soar/durable-files";
import { formatHistoryFileName, type Lsn, parseTimelineHistory, type TimelineHistory } from "@soar/pg-tools";
import { findTimelineHistory } from "@soar/repository/wal";
import type { CallOptions, ObjectStore } from "@soar/storage";

/** Where a timeline ends for a server that follows one of its descendants. */
export interface KnownFork {
  /** The descendant. */
  readonly timeline: number;
  /** First LSN that no longer belongs to the timeline. */
  readonly switchLsn: Lsn;
}

/**
 * The fork that a server knows of: by the newest timeline history beside its WAL that descends from this timeline. What it is given
 * of a history it keeps there (KeepFileRestoredFromArchive in timeline.c), and what it has made itself lies there, too; a
 * server follows no timeline that it has not read the history of.
 *
 * @param walDir of the server; one that cannot be listed tells of no fork
 */
export async function findForkInDirectory(walDir: string, timeline: number): Promise<KnownFork | undefined> {
  const names = await readdir(walDir).catch(() => []);
  const newestFirst = names.flatMap((name) => historyBehind(name, timeline)).toSorted((a, b) => b - a);
  for (const newer of newestFirst) {
    const text = await readTextIfPresent(join(walDir, formatHistoryFileName(newer)));
    const fork = text === undefined ? undefined : forkOf(parseTimelineHistory(text, newer), timeline);
    if (fork !== undefined) return fork;
  }
  return undefined;
}

/**
 * The fork that a server will go by that follows the newest timeline there is: by the newest history in the repository that descends
 * from this timeline. Looked for as PostgreSQL does (findNewestTimeLine in timeline.c): one number after the other, up to the first
 * that nobody has. Rejects with `REPOSITORY_DAMAGED` for a history that cannot be read, and as the store does.
 */
export async function findForkInRepository(
  store: ObjectStore,
  timeline: number,
  options: CallOptions = {},
): Promise<KnownFork | undefined> {
  let fork: KnownFork | undefined;
  for (let newer = timeline + 1; ; newer += 1) {
    const history = await findTimelineHistory(store, newer, options);
    if (history === undefined) return fork;
    fork = forkOf(history, timeline) ?? fork;
  }
}

function forkOf({ timeline: descendant, entries }: TimelineHistory, timeline: number): KnownFork | undefined {
  const entry = entries.find((one) => one.timeline === timeline);
  return entry === undefined ? undefined : { timeline: descendant, switchLsn: entry.switchLsn };
}

/** The timeline that a file in pg_wal is the history of, where it is a later one. */
function historyBehind(name: string, timeline: number): number[] {
  const [, digits] = /^([0-9A-F]{8})\.history$/.exec(name) ?? [];
  const newer = Number.parseInt(digits ?? "0", 16);
  return newer > timeline ? [newer] : [];
}
