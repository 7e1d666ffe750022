import { formatLsn, lsnOfSegmentIndex } from "@soar/pg-tools";
import { requireRepositoryRecord } from "@soar/repository";
import { lastSegment, listTimelines, listTimelineSegments } from "@soar/repository/wal";
import type { CallOptions, ObjectStore } from "@soar/storage";

/** Which other timelines can be named instead, and how far the WAL of each reaches; undefined when there is none. */
export async function describeOtherTimelines(
  store: ObjectStore,
  timeline: number,
  options: CallOptions,
): Promise<string | undefined> {
  const { walSegmentSize } = await requireRepositoryRecord(store, options);
  const reached: string[] = [];
  for (const other of await listTimelines(store, options)) {
    const last = lastSegment(await listTimelineSegments(store, other, walSegmentSize, options));
    if (other === timeline || last === undefined) continue;
    const end = lsnOfSegmentIndex(last.index + 1, walSegmentSize);
    reached.push(`--target-timeline ${other} (its WAL in the bucket ends at ${formatLsn(end)})`);
  }
  return reached.length === 0 ? undefined : `Other timelines can be followed: ${reached.join(", ")}.`;
}
