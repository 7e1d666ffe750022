import { formatSize, type CommandContext, type Log, type OptionTable, type Progress } from "@soar/app-kit";
import { formatLsn } from "@soar/pg-tools";
import type { Abandoned, RescueEvent } from "@soar/restore/rescue";

const SCOPES = {
  cluster: "the whole cluster",
  database: "the files of this database and the shared catalogs",
  relations: "the files of these tables and the catalogs",
} as const;

type Display = Pick<CommandContext<OptionTable, Readonly<Record<string, never>>>, "log" | "startProgress">;

/** Carries a rescue out while telling what it does: one line per step, and a bar while it fetches. */
export async function withRescueDisplay<T>(
  { log, startProgress }: Display,
  carryOut: (onEvent: (event: RescueEvent) => void) => Promise<T>,
): Promise<T> {
  const progress = startProgress({ label: "fetch", unit: "bytes" });
  try {
    return await carryOut(showRescue(log, progress));
  } finally {
    progress.finish();
  }
}

function showRescue(log: Log, progress: Progress): (event: RescueEvent) => void {
  return (event) => {
    switch (event.type) {
      case "fetching":
        log.info(`fetching ${SCOPES[event.scope]} (${formatSize(event.plainBytes)} of files) into a scratch cluster`);
        break;
      case "fetched":
        progress.update(event.bytes);
        break;
      case "libraries-missing":
        log.warn(
          `not on this host, so not preloaded: ${event.names.join(", ")}; what needs ${event.names.length === 1 ? "it" : "them"} cannot be dumped`,
        );
        break;
      case "libraries-unknown":
        log.warn(
          `it cannot be told whether this host has them, so not preloaded: ${event.names.join(", ")}; what needs them cannot be dumped`,
        );
        break;
      case "replaying":
        progress.finish();
        log.info("fetched; replaying WAL");
        break;
      case "replayed":
        log.info(
          `replayed to ${event.reachedLsn === undefined ? "the target" : formatLsn(event.reachedLsn)}${event.invalidPages === 0 ? "" : `; ${event.invalidPages} pages of files that were not fetched were passed over`}`,
        );
        break;
      case "widened":
        log.warn(`what was fetched does not suffice (${event.reason}); beginning again with more of the backup`);
        break;
      case "planned-again":
        log.info(`planned again, because what was planned has expired since: ${event.label}`);
        break;
      case "no-lease":
        log.info(`expiry was not told of this rescue: ${event.reason}`);
        break;
      case "dumping":
        log.info("dumping from the scratch cluster");
        break;
      case "loading":
        log.info("loading into the running server");
        break;
      case "file-restored":
        log.debug(`replaying ${event.name}`);
        break;
      default:
        break;
    }
  };
}

/** Tells what rescues left that were killed, and what is still to be done about it. */
export function showAbandoned(log: Log, found: readonly Abandoned[]): void {
  for (const { path, database } of found) {
    log.warn(`removed ${path}, left by a rescue that was killed`);
    if (database !== undefined)
      log.warn(
        database.isDropped
          ? `dropped database ${database.name}, which it had half loaded`
          : `it may have left database '${database.name}' on ${database.on}; drop it there`,
      );
  }
}
