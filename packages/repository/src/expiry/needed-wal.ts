import {
  compareLsn,
  isOnLineage,
  parseLsn,
  parseWalFileName,
  parseWalSegment,
  timelineOfSegment,
  type TimelineHistory,
} from "@soar/pg-tools";
import type { BackupDirectory } from "../records/backup-directories.ts";
import type { BackupRecord } from "../records/backup-record.ts";
import type { ExpiryState } from "./expiry-state.ts";

export type Complete = BackupDirectory & { readonly record: BackupRecord; readonly endedAt: Date };

/** From where on a branch keeps its WAL. */
export interface Anchor {
  readonly history: TimelineHistory;
  /** Undefined: no backup is old enough, so everything of the branch stays. */
  readonly backup: BackupRecord | undefined;
}

/**
 * Whether an expiry leaves this WAL file: it makes a kept backup consistent, lies on a branch from its anchor on, is being read
 * by somebody with a lease, or is a history, which costs nothing and without which no branch can be followed.
 */
export function isWalNeeded(
  name: string,
  state: ExpiryState,
  kept: readonly Complete[],
  anchors: readonly Anchor[],
): boolean {
  const file = parseWalFileName(name);
  if (file.kind === "history" || file.kind === "other") return true;
  const { timeline, index } = parseWalSegment(file.segmentName, state.segmentSize);
  if (
    state.leases.some(
      (lease) => new Date(lease.expiresAt) > state.time.now && isWithin(file.segmentName, lease.walFrom, lease.walTo),
    )
  )
    return true;
  // Without any backup WAL cannot be used, but the first backup may be running: it is never the expiry's to remove.
  if (kept.length === 0) return true;
  const indexOf = (segment: string) => parseWalSegment(segment, state.segmentSize).index;
  const makesConsistent = kept.some(
    ({ record }) =>
      record.timeline === timeline && indexOf(record.firstSegment) <= index && index <= indexOf(record.lastSegment),
  );
  return makesConsistent || anchors.some((anchor) => isOnBranch(anchor, kept, timeline, index, state.segmentSize));
}

/** From its anchor on a branch keeps all of its own WAL, and its ancestors' up to where it left them. */
function isOnBranch(
  { history, backup }: Anchor,
  kept: readonly Complete[],
  timeline: number,
  index: number,
  segmentSize: number,
): boolean {
  const isPart = timelineOfSegment(history, index, segmentSize) === timeline;
  if (!isPart) return false;
  const from = backup ?? oldestOnBranch(history, kept);
  return from === undefined || index >= parseWalSegment(from.firstSegment, segmentSize).index;
}

function oldestOnBranch(history: TimelineHistory, kept: readonly Complete[]): BackupRecord | undefined {
  return kept
    .map(({ record }) => record)
    .filter((record) => isOnLineage(history, { timeline: record.timeline, lsn: parseLsn(record.stopLsn) }))
    .sort(byStopLsn)[0];
}

/** Segment names of one timeline compare like their numbers. */
function isWithin(name: string, from: string | undefined, to: string | undefined): boolean {
  return from !== undefined && to !== undefined && from <= name && name <= to;
}

export function byStopLsn(a: BackupRecord, b: BackupRecord): number {
  return compareLsn(parseLsn(a.stopLsn), parseLsn(b.stopLsn));
}
