import { formatExposition, histogram, sample } from "@soar/metrics";
import type { ArchiverStatus } from "./archiver-status.ts";

/** The status in the text format of Prometheus (0.0.4). */
export function formatArchiverMetrics(status: ArchiverStatus): string {
  const { baseBackup, baseBackups, gaps, heldCommits, requestsTotal } = status;
  const requests = Object.entries(requestsTotal).map(([key, value]) => {
    const [kind = "", outcome = ""] = key.split(" ");
    return sample("backup_requests_total", value, { kind, outcome });
  });
  return formatExposition("soar-wal-archive", [
    sample("backup_wal_age_seconds", status.walAgeSeconds),
    sample("backup_wal_queue_depth", status.queueDepth),
    sample("backup_wal_unarchived_bytes", status.unarchivedBytes),
    sample("backup_wal_oldest_unarchived_seconds", status.oldestUnarchivedSeconds),
    sample("backup_synchronous_waiting_seconds", heldCommits?.waitingSeconds),
    sample("backup_pg_wal_bytes", status.pgWalBytes),
    sample("backup_pg_wal_free_bytes", status.pgWalFreeBytes),
    sample("backup_archiver_resident", status.isResident ? 1 : 0),
    sample("backup_wal_errors_total", status.errorsTotal),
    sample("backup_wal_archived_total", status.archivedTotal),
    sample("backup_wal_given_up_total", status.givenUpTotal),
    sample("backup_wal_tail_pieces_total", status.tailPiecesTotal),
    sample("backup_upload_bytes_total", status.uploadedBytesTotal),
    ...requests,
    sample("backup_base_age_seconds", baseBackup?.ageSeconds),
    sample("backup_base_size_bytes", baseBackup?.sizeBytes),
    histogram("backup_base_duration_seconds", {
      count: baseBackups.count,
      sum: baseBackups.sumSeconds,
      buckets: baseBackups.buckets,
    }),
    sample("backup_wal_gaps", gaps.length),
    sample("backup_wal_open_gaps", gaps.filter(({ isOpen }) => isOpen).length),
  ]);
}
