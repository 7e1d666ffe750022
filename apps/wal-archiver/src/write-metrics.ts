import { formatArchiverMetrics, type ArchiverStatus } from "@soar/archive";
import { replaceFile } from "@soar/durable-files";

/** Writes the metrics for node_exporter, which must never read half of them. Rejects with `FILE_UNWRITABLE` or `DISK_FULL`. */
export async function writeMetrics(path: string, status: ArchiverStatus): Promise<void> {
  await replaceFile(path, formatArchiverMetrics(status), {
    // The collector is another user; services run with a umask that would keep it out.
    mode: 0o644,
    // Written anew every few seconds, and of no use after a crash.
    sync: "none",
    hint: "Make the directory writable for the server's user, or set BACKUP_METRICS_FILE to another one.",
  });
}
