import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "@soar/errors";
import type { Log } from "@soar/app-kit";
import { formatArchiverMetrics, type ArchiverStatistics, type ArchiverStatus } from "@soar/archive/status";
import { writeMetricsFile } from "@soar/metrics";

export interface SaveStatisticsOptions {
  readonly statistics: ArchiverStatistics;
  readonly status: () => ArchiverStatus;
  readonly metricsFile: string | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const EVERY_MS = 10_000;

/** Saves counters and metrics now and then, and once more at the end. A disk that is full is told once and ends nothing. */
export async function saveStatistics({
  statistics,
  status,
  metricsFile,
  log,
  signal,
}: SaveStatisticsOptions): Promise<void> {
  let hasFailed = false;
  for (;;) {
    try {
      await statistics.save();
      if (metricsFile !== undefined)
        await writeMetricsFile("soar-wal-archive", metricsFile, formatArchiverMetrics(status()));
      hasFailed = false;
    } catch (error) {
      if (!hasFailed) log.warn(`metrics are not up to date: ${messageOf(error)}`);
      hasFailed = true;
    }
    if (signal.aborted) return;
    await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
