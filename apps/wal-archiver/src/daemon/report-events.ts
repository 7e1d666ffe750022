import { formatDuration, formatSize, type Log } from "@soar/app-kit";
import type { ArchiverEvent } from "@soar/archive/daemon";
import type { CommitEvent } from "@soar/archive/status";
import type { TailEvent } from "@soar/archive/tail";
import { formatLsn } from "@soar/pg-tools";

/** The same failure is told again after this time; PostgreSQL's log has the others. */
const REPEAT_MS = 60_000;

const FALL_BACK =
  "To let them go at once, without the promise that they are in the bucket: ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf();";

/** Writes what happens to the log: one line per file, and one per minute of an outage. */
export function reportTo(log: Log): (event: ArchiverEvent | TailEvent | CommitEvent) => void {
  const tellOnce = createReminder();
  return (event) => {
    switch (event.type) {
      case "archived":
        log.info(
          `${event.outcome} ${event.name} (${formatSize(event.sizeBytes)} as ${formatSize(event.storedBytes)}, ${formatDuration(event.durationMs)})`,
        );
        return;
      case "given-up":
        log.warn(
          `gave up ${event.name}: it lies in the gap ${event.gap.from} to ${event.gap.to} that ${event.gap.declaredBy} declared (${event.gap.reason})`,
        );
        return;
      case "recovered":
        log.warn(`archiving again after ${event.attempts} failures in ${formatDuration(event.outageMs)}`);
        return;
      case "unacknowledged":
        tellOnce(event.error, (text) => log.warn(`archived ${event.name}, but without an acknowledgement: ${text}`));
        return;
      case "failed":
        tellOnce(event.error, (text) =>
          log.error(`${text}; failure ${event.attempts}, next attempt in ${formatDuration(event.retryInMs)}`),
        );
        return;
      case "tail-connected":
        log.info(`shipping the tail of timeline ${event.timeline} from ${formatLsn(event.startLsn)}`);
        return;
      case "tail-found":
        log.debug(`the tail is in the bucket up to ${formatLsn(event.endLsn)}`);
        return;
      case "tail-shipped":
        log.debug(
          `shipped ${formatSize(event.bytes)} up to ${formatLsn(event.endLsn)} in ${formatDuration(event.durationMs)}`,
        );
        return;
      case "tail-consolidated":
        log.debug(`consolidated the first ${formatSize(event.bytes)} of ${event.segmentName}`);
        return;
      case "commits-held":
        log.error(
          `commits have waited for the bucket for ${formatDuration(event.waitingSeconds * 1000)}${event.sessions === undefined ? "" : ` in ${event.sessions} sessions`}. ${FALL_BACK}`,
        );
        return;
      case "commits-released":
        log.warn(`commits go on; they had waited for the bucket for ${formatDuration(event.waitingSeconds * 1000)}`);
        return;
      case "tail-confirmed":
        return;
      case "tail-interrupted":
        tellOnce(event.error, (text) =>
          log.warn(`the tail is not shipped: ${text}; next attempt in ${formatDuration(event.retryInMs)}`),
        );
        return;
      case "tail-stopped":
        log.error(`the tail is not shipped any more: ${describe(event.error)}`);
    }
  };
}

function createReminder(): (error: unknown, write: (text: string) => void) => void {
  const toldAt = new Map<string, number>();
  return (error, write) => {
    const text = describe(error);
    const now = performance.now();
    if (now - (toldAt.get(text) ?? -Infinity) < REPEAT_MS) return;
    for (const [old, at] of toldAt) if (now - at >= REPEAT_MS) toldAt.delete(old);
    toldAt.set(text, now);
    write(text);
  };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "hint" in error && typeof error.hint === "string" ? `${error.message} (${error.hint})` : error.message;
}
