import { join } from "node:path";
import { namesIfPresent, readTextIfPresent } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { findSwitchPoint, formatHistoryFileName, type Lsn } from "@soar/pg-tools";
import { findTimelineHistory, LARGEST_HISTORY, listTimelines, walKey } from "@soar/repository/wal";
import { readObject, type CallOptions, type ObjectStore } from "@soar/storage";

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
 * Rejects with `FILE_UNREADABLE` where it cannot be listed: whether there is a fork is not known then.
 *
 * @param walDir of the server; one that is not there tells of no fork
 */
export async function findForkInDirectory(walDir: string, timeline: number): Promise<KnownFork | undefined> {
  const names = (await namesIfPresent(walDir)) ?? [];
  const newestFirst = names.flatMap((name) => historyBehind(name, timeline)).toSorted((a, b) => b - a);
  for (const newer of newestFirst) {
    const text = await readTextIfPresent(join(walDir, formatHistoryFileName(newer)));
    const switchLsn = text === undefined ? undefined : findSwitchPoint(text, newer, timeline);
    if (switchLsn !== undefined) return { timeline: newer, switchLsn };
  }
  return undefined;
}

/**
 * The fork that a server will go by that follows the newest timeline there is: by the newest history in the repository that descends
 * from this timeline. Rejects with `WAL_MISSING` where the history of a newer timeline is missing, from which nobody can know whether
 * and where it left this one; with `REPOSITORY_DAMAGED` for one that cannot be read; and as the store does.
 */
export async function findForkInRepository(
  store: ObjectStore,
  timeline: number,
  options: CallOptions = {},
): Promise<KnownFork | undefined> {
  const newer = await listTimelines(store, { ...options, after: timeline });
  for (const descendant of newer.toReversed()) {
    const bytes = await readHistoryFile(store, descendant, options);
    if (bytes === undefined) throw missingHistory(store, descendant);
    const switchLsn = findSwitchPoint(bytes.toString("utf8"), descendant, timeline);
    if (switchLsn !== undefined) return { timeline: descendant, switchLsn };
  }
  return undefined;
}

/**
 * The history file of a timeline as it was archived; undefined where the repository has none. Read, too, before it is given: one that
 * is damaged would lead a server elsewhere. Rejects with `REPOSITORY_DAMAGED`.
 */
export async function readHistoryFile(
  store: ObjectStore,
  timeline: number,
  options: CallOptions = {},
): Promise<Buffer | undefined> {
  if (timeline === 1 || (await findTimelineHistory(store, timeline, options)) === undefined) return undefined;
  const key = walKey(formatHistoryFileName(timeline), "none");
  return await readObject(store, key, { ...options, maxBytes: LARGEST_HISTORY });
}

export function missingHistory({ location }: ObjectStore, timeline: number): SoarError {
  const name = formatHistoryFileName(timeline);
  return new SoarError(
    "WAL_MISSING",
    `'${name}' is not in '${location}', although WAL of its timeline or a later one is`,
    {
      hint: `Archive it again from pg_wal of a server on that timeline: soar-wal-archive pg_wal/${name} ${name}.`,
    },
  );
}

/** The timeline that a file in pg_wal is the history of, where it is a later one. */
function historyBehind(name: string, timeline: number): number[] {
  const [, digits] = /^([0-9A-F]{8})\.history$/.exec(name) ?? [];
  const newer = Number.parseInt(digits ?? "0", 16);
  return newer > timeline ? [newer] : [];
}
