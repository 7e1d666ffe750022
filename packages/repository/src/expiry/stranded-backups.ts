import { formatWalSegment, parseWalSegment } from "@soar/pg-tools";
import type { BackupRecord } from "../records/backup-record.ts";
import type { ExpiryPlan } from "./expiry-plan.ts";
import type { ExpiryState } from "./expiry-state.ts";

/**
 * Which complete backups lose the WAL that follows them, so that a plan leaves of them their own end and no later instant.
 * Without those of which there is none now: the newest, and one before a gap.
 */
export function strandedBackups(
  { backups, segmentSize }: Pick<ExpiryState, "backups" | "segmentSize">,
  { removeWal }: Pick<ExpiryPlan, "removeWal">,
): string[] {
  const removed = new Set(removeWal.map(({ name }) => name));
  return backups.flatMap(({ label, record }) =>
    record !== undefined && removed.has(followingSegment(record, segmentSize)) ? [label] : [],
  );
}

function followingSegment({ lastSegment }: BackupRecord, segmentSize: number): string {
  const { timeline, index } = parseWalSegment(lastSegment, segmentSize);
  return formatWalSegment({ timeline, index: index + 1 }, segmentSize);
}
