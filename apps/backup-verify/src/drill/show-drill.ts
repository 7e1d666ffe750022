import { formatSize, type Log, type Progress } from "@soar/app-kit";
import { formatLsn } from "@soar/pg-tools";
import type { DrillEvent } from "@soar/verify";

/** One line per step in the log, and a bar while the backup is fetched. */
export function showDrill({
  log,
  progress,
}: {
  readonly log: Log;
  readonly progress: Progress;
}): (event: DrillEvent) => void {
  let total = 0;
  return (event) => {
    switch (event.type) {
      case "planned":
        total = event.plan.fetchBytes.backup;
        log.info(
          `drill: backup ${event.plan.backup.label} to ${event.target.description}, at ${formatLsn(event.plan.resolved.stopLsn)}`,
        );
        break;
      case "fetching":
        log.info(`fetching ${formatSize(event.plainBytes)} of files into a scratch cluster`);
        break;
      case "fetched":
        progress.update(event.bytes, Math.max(total, event.bytes));
        break;
      case "replaying":
        progress.finish();
        log.info("fetched; replaying WAL");
        break;
      case "replayed":
        log.info(
          `replayed to ${event.reachedLsn === undefined ? "the target" : formatLsn(event.reachedLsn)}; checking`,
        );
        break;
      case "widened":
        log.warn(`what was fetched does not suffice (${event.reason}); beginning again with more of the backup`);
        break;
      case "libraries-missing":
        log.warn(`not on this host, so not preloaded: ${event.names.join(", ")}`);
        break;
      case "libraries-unknown":
        log.warn(`it cannot be told whether this host has them, so not preloaded: ${event.names.join(", ")}`);
        break;
      case "planned-again":
        log.info(`planned again, because what was planned has expired since: ${event.label}`);
        break;
      case "no-lease":
        log.warn(`expiry may remove what is being restored, because it cannot be told: ${event.reason}`);
        break;
      case "checked":
        showCheck(event.check, log);
        break;
      default:
        break;
    }
  };
}

function showCheck({ name, outcome, detail }: Extract<DrillEvent, { type: "checked" }>["check"], log: Log): void {
  const line = `${outcome}: ${name}: ${detail}`;
  if (outcome === "failed") log.error(line);
  else if (outcome === "warning") log.warn(line);
  else log.debug(line);
}
