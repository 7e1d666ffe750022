import type { ArchiverStatus } from "./archiver-status.ts";

interface Metric {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  /** Left out when it is not known: a missing value alarms, a wrong one does not. */
  readonly value: number | undefined;
}

/** The status in the text format of Prometheus, under the names of the specification. */
export function formatArchiverMetrics(status: ArchiverStatus): string {
  return metricsOf(status)
    .filter(({ value }) => value !== undefined)
    .map(({ name, type, help, value }) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`)
    .join("");
}

function metricsOf(status: ArchiverStatus): readonly Metric[] {
  return [
    { name: "backup_wal_age_seconds", type: "gauge", help: "Time since the last successful archive.", value: status.walAgeSeconds },
    { name: "backup_wal_queue_depth", type: "gauge", help: "Finished WAL files that are not in the bucket.", value: status.queueDepth },
    { name: "backup_wal_errors_total", type: "counter", help: "Failed attempts to archive or ship WAL.", value: status.errorsTotal },
    { name: "backup_wal_archived_total", type: "counter", help: "WAL files archived.", value: status.archivedTotal },
    { name: "backup_wal_tail_pieces_total", type: "counter", help: "Pieces of unfinished segments shipped.", value: status.tailPiecesTotal },
    { name: "backup_upload_bytes_total", type: "counter", help: "Stored bytes of WAL files and tail pieces.", value: status.uploadedBytesTotal },
    { name: "backup_wal_unarchived_bytes", type: "gauge", help: "Committed WAL that is not in the bucket. Alert on this.", value: status.unarchivedBytes },
    { name: "backup_wal_oldest_unarchived_seconds", type: "gauge", help: "Age of the oldest WAL that is not in the bucket. Alert on this.", value: status.oldestUnarchivedSeconds },
  ];
}
