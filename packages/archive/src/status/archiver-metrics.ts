import { BASE_BACKUP_BOUNDS, type DurationHistogram } from "./archiver-counters.ts";
import type { ArchiverStatus } from "./archiver-status.ts";

interface Family {
  readonly name: string;
  readonly type: "gauge" | "counter" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

interface Sample {
  /** Of the name, for the parts of a histogram. */
  readonly suffix?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Left out when it is not known: a missing value alarms, a wrong one does not. */
  readonly value: number | undefined;
}

/** The status in the text format of Prometheus (0.0.4), under the names of the specification. */
export function formatArchiverMetrics(status: ArchiverStatus): string {
  return [...archiving(status), ...costs(status), ...repository(status)].map(formatFamily).join("");
}

function archiving(status: ArchiverStatus): Family[] {
  return [
    gauge("backup_wal_age_seconds", "Time since the last successful archive.", status.walAgeSeconds),
    gauge("backup_wal_queue_depth", "Finished WAL files that are not in the bucket.", status.queueDepth),
    gauge(
      "backup_wal_unarchived_bytes",
      "Committed WAL that is not in the bucket. Alert on this.",
      status.unarchivedBytes,
    ),
    gauge(
      "backup_wal_oldest_unarchived_seconds",
      "Age of the oldest WAL that is not in the bucket. Alert on this.",
      status.oldestUnarchivedSeconds,
    ),
    gauge(
      "backup_synchronous_waiting_seconds",
      "How long commits have waited for the bucket because of synchronous_standby_names. Alert on this.",
      status.heldCommits?.waitingSeconds,
    ),
    gauge("backup_pg_wal_bytes", "Size of all files in pg_wal.", status.pgWalBytes),
    gauge("backup_pg_wal_free_bytes", "Free space of the file system of pg_wal.", status.pgWalFreeBytes),
    gauge(
      "backup_archiver_resident",
      "1 when the resident archiver wrote this, 0 when archive_command did.",
      status.isResident ? 1 : 0,
    ),
    counter("backup_wal_errors_total", "Failed attempts to archive or ship WAL.", status.errorsTotal),
    counter("backup_wal_archived_total", "WAL files archived.", status.archivedTotal),
    counter("backup_wal_given_up_total", "WAL files of declared gaps that were not archived.", status.givenUpTotal),
  ];
}

function costs({ tailPiecesTotal, uploadedBytesTotal, requestsTotal }: ArchiverStatus): Family[] {
  const requests = Object.entries(requestsTotal).map(([key, value]): Sample => {
    const [kind = "", outcome = ""] = key.split(" ");
    return { labels: { kind, outcome }, value };
  });
  return [
    counter("backup_wal_tail_pieces_total", "Pieces of unfinished segments shipped.", tailPiecesTotal),
    counter("backup_upload_bytes_total", "Stored bytes of WAL files and tail pieces.", uploadedBytesTotal),
    {
      name: "backup_requests_total",
      type: "counter",
      help: "Requests to the storage provider, repeated ones included.",
      samples: requests,
    },
  ];
}

function repository({ baseBackup, baseBackups, gaps }: ArchiverStatus): Family[] {
  return [
    gauge("backup_base_age_seconds", "Time since the end of the newest complete base backup.", baseBackup?.ageSeconds),
    gauge(
      "backup_base_size_bytes",
      "Bytes of all files of the cluster in the newest complete base backup.",
      baseBackup?.sizeBytes,
    ),
    {
      name: "backup_base_duration_seconds",
      type: "histogram",
      help: "Time that complete base backups took.",
      samples: histogram(baseBackups),
    },
    gauge("backup_wal_gaps", "Declared gaps in the bucket.", gaps.length),
    gauge(
      "backup_wal_open_gaps",
      "Declared gaps that no base backup has followed: nothing behind them can be restored. Alert on this.",
      gaps.filter(({ isOpen }) => isOpen).length,
    ),
  ];
}

function histogram({ count, sumSeconds, buckets }: DurationHistogram): Sample[] {
  const bounded = BASE_BACKUP_BOUNDS.map((bound, index): Sample => ({
    suffix: "_bucket",
    labels: { le: String(bound) },
    value: buckets[index] ?? 0,
  }));
  return [
    ...bounded,
    { suffix: "_bucket", labels: { le: "+Inf" }, value: count },
    { suffix: "_sum", value: sumSeconds },
    { suffix: "_count", value: count },
  ];
}

function gauge(name: string, help: string, value: number | undefined): Family {
  return { name, type: "gauge", help, samples: [{ value }] };
}

function counter(name: string, help: string, value: number): Family {
  return { name, type: "counter", help, samples: [{ value }] };
}

function formatFamily({ name, type, help, samples }: Family): string {
  const known = samples.filter(({ value }) => value !== undefined);
  if (known.length === 0) return "";
  const lines = known.map(({ suffix = "", labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
    return `${name}${suffix}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}
