import { formatDuration, formatSize, type Log } from "@soar/app-kit";
import type { ArchiverEvent } from "@soar/archive";

/** The same failure is told again after this time; PostgreSQL's log has the others. */
const REPEAT_MS = 60_000;

/** Writes what happens to the log: one line per file, and one per minute of an outage. */
export function reportTo(log: Log): (event: ArchiverEvent) => void {
  const toldAt = new Map<string, number>();
  return (event) => {
    switch (event.type) {
      case "archived":
        log.info(`${event.outcome} ${event.name} (${formatSize(event.sizeBytes)} as ${formatSize(event.storedBytes)}, ${formatDuration(event.durationMs)})`);
        return;
      case "recovered":
        toldAt.clear();
        log.warn(`archiving again after ${event.attempts} failures in ${formatDuration(event.outageMs)}`);
        return;
      case "unacknowledged":
        tell(event.error, (text) => log.warn(`archived ${event.name}, but without an acknowledgement: ${text}`));
        return;
      case "failed":
        tell(event.error, (text) => log.error(`${text}; failure ${event.attempts}, next attempt in ${formatDuration(event.retryInMs)}`));
    }
  };

  function tell(error: unknown, write: (text: string) => void): void {
    const text = describe(error);
    const now = performance.now();
    if (now - (toldAt.get(text) ?? -Infinity) < REPEAT_MS) return;
    for (const [old, at] of toldAt) if (now - at >= REPEAT_MS) toldAt.delete(old);
    toldAt.set(text, now);
    write(text);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "hint" in error && typeof error.hint === "string" ? `${error.message} (${error.hint})` : error.message;
}
