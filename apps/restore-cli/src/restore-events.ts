import { messageOf } from "@soar/errors";
import type { Log, Progress } from "@soar/app-kit";
import { formatLsn } from "@soar/pg-tools";
import { formatTargetTime } from "@soar/pg-tools/recovery-config";
import type { RestoreEvent } from "@soar/restore";

export interface Display {
  /** Begins to show another count. */
  readonly begin: (label: string, unit: "bytes" | "items") => Progress;
  readonly log: Log;
}

export interface RestoreDisplay {
  readonly show: (event: RestoreEvent) => void;
  readonly finish: () => void;
}

/** Tells what a restore does: a bar for what takes long, a line for everything that was changed. */
export function restoreDisplay({ begin, log }: Display): RestoreDisplay {
  let progress: Progress | undefined;
  const finish = (): void => {
    progress?.finish();
    progress = undefined;
  };
  const show = (event: RestoreEvent): void => {
    switch (event.type) {
      case "fetched":
        progress ??= begin("restore", "bytes");
        progress.update(event.bytes, event.total);
        break;
      case "phase":
        finish();
        if (event.phase === "recover") log.info("backup fetched; replaying WAL");
        if (event.phase === "finish")
          log.info("recovery is over and proved; starting the server with its own settings");
        if (event.phase === "archive")
          log.info(
            "the server takes writes; storing WAL in the repository that only this machine has: after an interruption, the same command goes on with it",
          );
        break;
      case "archived":
        progress ??= begin("archive", "items");
        progress.update(event.files, event.total);
        break;
      case "done":
        log.info(event.text);
        break;
      case "replayed":
        progress ??= begin("replay", "items");
        progress.update(event.segments, event.total, placeOf(event));
        break;
      case "no-lease":
        log.info(`expiry was not told of this restore: ${event.reason}`);
        break;
      case "redo-done":
        log.info(`WAL replayed; the last record is at ${formatLsn(event.lsn)}`);
        break;
      case "prefetch-failed":
        log.warn(`${event.name} could not be fetched ahead; the server asks for it itself: ${reasonOf(event.error)}`);
        break;
      case "prefetch-ended":
        log.warn(`WAL is not fetched ahead any more; the server asks for it itself: ${reasonOf(event.error)}`);
        break;
      case "file-restored":
        log.debug(`replaying ${event.name}`);
        break;
      case "consistent":
        log.info(`consistent at ${formatLsn(event.lsn)}`);
        break;
      default:
        break;
    }
  };
  return { show, finish };
}

/** Short enough for a bar of 80 columns. */
function placeOf({ lsn, time }: Extract<RestoreEvent, { type: "replayed" }>): string {
  return `at ${formatLsn(lsn)}${time === undefined ? "" : `, ${formatTargetTime(time).slice(0, 19)}Z`}`;
}

function reasonOf(error: unknown): string {
  return messageOf(error);
}
