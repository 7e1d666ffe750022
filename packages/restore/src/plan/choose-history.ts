import { hasErrorCode, SoarError } from "@soar/errors";
import { formatHistoryFileName, type TimelineHistory } from "@soar/pg-tools";
import { WAL_PREFIX } from "@soar/repository";
import { listTimelines, requireTimelineHistory } from "@soar/repository/wal";
import type { CallOptions, ObjectStore } from "@soar/storage";
import type { LocalWal } from "../local-wal/read-local-wal.ts";
import type { Candidate } from "./candidates.ts";
import { describeOtherTimelines } from "./other-timelines.ts";

export interface ChooseHistoryOptions extends CallOptions {
  /** Follow this one. */
  readonly timeline?: number | undefined;
  readonly local: LocalWal;
}

/**
 * The timeline to follow: the one that was asked for, else the newest that left anything in the bucket (as PostgreSQL does)
 * or on this machine. A history that cannot be read stops nobody where there is no WAL of its timeline: then it is all that there is, and
 * nothing can be followed to. Rejects with `WAL_MISSING` or `REPOSITORY_DAMAGED`, and names the other timelines.
 */
export async function chooseHistory(
  store: ObjectStore,
  candidates: readonly Candidate[],
  { timeline, local, signal }: ChooseHistoryOptions,
): Promise<TimelineHistory> {
  const used = [...local.histories.keys(), ...candidates.map(({ record }) => record.timeline)];
  const known = timeline === undefined ? [...(await listTimelines(store, { signal })), ...used] : [timeline];
  for (const newest of [...new Set(known)].sort((a, b) => b - a)) {
    const history = local.histories.get(newest);
    if (history !== undefined) return history;
    try {
      return await requireTimelineHistory(store, newest, { signal });
    } catch (error) {
      if (!hasErrorCode(error, "REPOSITORY_DAMAGED", "WAL_MISSING")) throw error;
      const isNamed = timeline !== undefined || used.includes(newest);
      if (isNamed || (await hasMoreThanHistory(store, newest, { signal })))
        throw await withOthers(store, newest, error);
    }
  }
  throw new Error("a backup lies on no timeline");
}

async function hasMoreThanHistory(store: ObjectStore, timeline: number, options: CallOptions): Promise<boolean> {
  const name = formatHistoryFileName(timeline);
  for await (const { key } of store.list(`${WAL_PREFIX}${name.slice(0, 8)}`, options))
    if (key !== `${WAL_PREFIX}${name}`) return true;
  return false;
}

async function withOthers(store: ObjectStore, timeline: number, cause: SoarError): Promise<SoarError> {
  const others = await describeOtherTimelines(store, timeline, {});
  return new SoarError(cause.code, cause.message, { hint: [cause.hint, others].filter(Boolean).join(" "), cause });
}
