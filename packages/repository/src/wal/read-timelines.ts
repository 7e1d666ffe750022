import { isSoarError, type SoarError } from "@soar/errors";
import type { TimelineHistory } from "@soar/pg-tools";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { requireTimelineHistory } from "./timeline-files.ts";

export interface Timelines {
  /** In the order in which they were asked for. */
  readonly histories: readonly TimelineHistory[];
  /** Of whose history file there is nothing, or nothing that can be read: what led to them is unknown, and the others go on. */
  readonly unreadable: readonly UnreadableTimeline[];
}

export interface UnreadableTimeline {
  readonly timeline: number;
  /** `WAL_MISSING` or `REPOSITORY_DAMAGED`. */
  readonly reason: SoarError;
}

/** Reads the histories of these timelines. Rejects with the failures of the store only. */
export async function readTimelines(
  store: ObjectStore,
  timelines: Iterable<number>,
  options: CallOptions = {},
): Promise<Timelines> {
  const histories: TimelineHistory[] = [];
  const unreadable: UnreadableTimeline[] = [];
  for (const timeline of timelines) {
    try {
      histories.push(await requireTimelineHistory(store, timeline, options));
    } catch (error) {
      if (!isSoarError(error) || (error.code !== "WAL_MISSING" && error.code !== "REPOSITORY_DAMAGED")) throw error;
      unreadable.push({ timeline, reason: error });
    }
  }
  return { histories, unreadable };
}
