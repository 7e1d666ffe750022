import { findScratchPlace, formatSize, type Config, type Log, type Progress } from "@soar/app-kit";
import { formatLsn } from "@soar/pg-tools";
import { removeAbandoned, type RescueEvent, type ScratchOptions } from "@soar/restore/rescue";
import type { takeOptions } from "./take-options.ts";

/** For the scratch standby of `--from-archive`; what a killed run left of one is removed. */
export async function scratchOptions(
  config: Config<typeof takeOptions>,
  { log, progress, signal }: { readonly log: Log; readonly progress: Progress; readonly signal: AbortSignal },
): Promise<ScratchOptions> {
  const place = await findScratchPlace(config);
  for (const { path } of await removeAbandoned(config.tempDir, place))
    log.warn(`removed ${path}, left by a run that was killed`);
  return { ...place, signal, onEvent: (event) => show(event, { log, progress }) };
}

function show(event: RescueEvent, { log, progress }: { readonly log: Log; readonly progress: Progress }): void {
  if (event.type === "fetching")
    log.info(`restoring the newest backup (${formatSize(event.plainBytes)} of files) into a scratch standby`);
  if (event.type === "fetched") progress.update(event.bytes);
  if (event.type === "planned-again")
    log.info(`planned again, because what was planned has expired since: ${event.label}`);
  if (event.type === "no-lease") log.info(`expiry was not told of what this backup begins with: ${event.reason}`);
  if (event.type === "replaying") log.info("restored; following the archive");
  if (event.type === "replayed" && event.reachedLsn !== undefined)
    log.info(`followed the archive to ${formatLsn(event.reachedLsn)}; taking the backup`);
}
