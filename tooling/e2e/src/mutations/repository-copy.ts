import { parseTimelineHistory, parseWalFileName, parseWalSegment, segmentIndexOfLsn } from "@soar/pg-tools";
import type { BackupRecord } from "@soar/repository";
import { parseWalKey } from "@soar/repository/wal";

/** A repository with a full and an incremental backup and two timelines, in memory. */
export interface RepositoryCopy {
  readonly objects: ReadonlyMap<string, Buffer>;
  /** Oldest first. */
  readonly records: readonly BackupRecord[];
  /** Segments that a restore needs, in the middle of their timelines: whatever happens to them must be found. */
  readonly segments: readonly string[];
  /** Keys of segments of timeline 1 from before the second timeline began. */
  readonly parents: readonly string[];
  readonly history: string;
}

/** Segments at the ends of a timeline are looked at more closely, and the last one may be missing without anybody knowing. */
const ENDS = 4;
/** Below this there is little besides the description at the end, which is read now and then. */
const SMALLEST = 6000;

export function copyOf(objects: ReadonlyMap<string, Buffer>): RepositoryCopy {
  const history = "wal/00000002.history";
  const records = [...objects]
    .filter(([key]) => key.endsWith("/backup.json"))
    .map(([, bytes]) => JSON.parse(bytes.toString("utf8")) as BackupRecord);
  const ordered = records.sort((a, b) => Date.parse(a.stoppedAt) - Date.parse(b.stoppedAt));
  const size = ordered[0]?.walSegmentSize ?? 0;
  const first = parseWalSegment(ordered[0]?.firstSegment ?? "", size).index;
  const switchLsn = parseTimelineHistory(objects.get(history)?.toString("utf8") ?? "", 2).entries[0]?.switchLsn ?? 0n;
  const begin = segmentIndexOfLsn(switchLsn, size);
  const inMiddle = (timeline: number, from: number): string[] => {
    const keys = [...objects.keys()].filter((key) => isSegment(key, { timeline, from, size }));
    return keys.slice(1, -ENDS).filter((key) => (objects.get(key)?.length ?? 0) > SMALLEST);
  };
  const parents = [...objects.keys()]
    .filter((key) => isSegment(key, { timeline: 1, from: first, size }))
    .filter((key) => indexOf(key, size) < begin);
  return { objects, records: ordered, segments: [...inMiddle(1, first), ...inMiddle(2, begin)], parents, history };
}

function isSegment(
  key: string,
  { timeline, from, size }: { readonly timeline: number; readonly from: number; readonly size: number },
): boolean {
  const object = parseWalKey(key, 0);
  if (object === undefined) return false;
  const file = parseWalFileName(object.name);
  return file.kind === "segment" && file.timeline === timeline && parseWalSegment(file.segmentName, size).index >= from;
}

function indexOf(key: string, size: number): number {
  return parseWalSegment(key.slice("wal/".length, "wal/".length + 24), size).index;
}

/** Objects of backups that a restore needs. */
export function backupObjects({ objects }: RepositoryCopy): string[] {
  return [...objects.keys()].filter((key) => key.startsWith("base/") && !key.endsWith("/started.json"));
}
