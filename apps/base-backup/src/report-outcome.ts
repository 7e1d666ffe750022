import { hostname } from "node:os";
import { formatDuration, formatRate, formatSize, notify, tellEach, type CommandContext } from "@soar/app-kit";
import { type ErrorCode, isSoarError, messageOf, SoarError } from "@soar/errors";
import { sample, updateMetricsFile, type SampleOf } from "@soar/metrics";
import type { BackupRecord } from "@soar/repository";
import type { takeOptions } from "./take-options.ts";

/** What `take` gets; it has no positional arguments. */
export type TakeContext = Omit<CommandContext<typeof takeOptions, Readonly<Record<string, never>>>, "positionals">;

/**
 * Runs a backup and tells its outcome: metrics, mail, webhook. `onRecord` is called as soon as the backup exists; what
 * fails afterwards, telling it included, is told as a failure that kept it, and ends the run with `BACKUP_UNFOLLOWED`: a service
 * manager that ran all of it again would take the whole backup once more.
 */
export async function reportOutcome(
  context: TakeContext,
  work: (onRecord: (record: BackupRecord) => void) => Promise<void>,
): Promise<void> {
  let record: BackupRecord | undefined;
  try {
    await work((taken) => (record = taken));
  } catch (error) {
    await tellFailure(context, record, error);
    throw behind(record, error);
  }
  try {
    await tellEach(
      () => tellSuccess(context.config, record),
      () => tellMetrics(context.config.metricsFile, record, { failed: false }),
    );
  } catch (error) {
    throw behind(record, error);
  }
}

/** What ends a run and says itself that there is a backup, or that nobody wants to hear more. */
const SAYS_IT_IS_THERE: ReadonlySet<ErrorCode> = new Set([
  "BACKUP_DAMAGED_PAGES",
  "BACKUP_UNEXPLAINED_CHANGE",
  "ABORTED",
]);

/** What a failure is for somebody who only sees how the run ended. */
function behind(record: BackupRecord | undefined, error: unknown): unknown {
  if (record === undefined || !isSoarError(error) || SAYS_IT_IS_THERE.has(error.code)) return error;
  return new SoarError(
    "BACKUP_UNFOLLOWED",
    `backup '${record.label}' is complete, but what follows it failed: ${error.message}`,
    { hint: error.hint, cause: error },
  );
}

/** The failure of the run is what it ends with; that telling it failed as well stands in the log. */
export async function tellFailure(
  { config, log }: Pick<TakeContext, "config" | "log">,
  record: BackupRecord | undefined,
  error: unknown,
): Promise<void> {
  const message = messageOf(error);
  const hint = isSoarError(error) && error.hint !== undefined ? `\n${error.hint}` : "";
  const kept = record === undefined ? "" : `\nThe backup itself is complete: ${summarize(record)}`;
  try {
    await tellEach(
      () =>
        notify(config, {
          outcome: "failure",
          subject: `${hostname()}: base backup ${record === undefined ? "failed" : `${record.label} needs attention`}`,
          text: `${message}${hint}${kept}`,
        }),
      () => tellMetrics(config.metricsFile, record, { failed: true }),
    );
  } catch (failure) {
    if (!isSoarError(failure)) throw failure;
    log.error(`not everybody was told that the backup failed: ${failure.message}`);
  }
}

async function tellSuccess(config: TakeContext["config"], record: BackupRecord | undefined): Promise<void> {
  if (record === undefined) return;
  await notify(config, {
    outcome: "success",
    subject: `${hostname()}: base backup ${record.label} completed`,
    text: summarize(record),
  });
}

export function summarize({ label, kind, sizes, durationMs, firstSegment, lastSegment }: BackupRecord): string {
  const { unread = 0 } = sizes;
  const rate = formatRate((sizes.database - unread) / (durationMs / 1000));
  const left = unread === 0 ? "" : `, of which ${formatSize(unread)} were left unread,`;
  return `${label}, ${kind}, ${formatSize(sizes.database)}${left} in ${formatDuration(durationMs)} (${rate}), ${formatSize(sizes.new)} stored, WAL ${firstSegment} to ${lastSegment}`;
}

/** A failed run keeps what the file says of the last backup that succeeded: its age is what alarms. */
async function tellMetrics(
  path: string | undefined,
  record: BackupRecord | undefined,
  { failed }: { readonly failed: boolean },
): Promise<void> {
  if (path === undefined) return;
  await updateMetricsFile("soar-base-backup", path, [
    ...(record === undefined ? [] : samplesOf(record)),
    sample("backup_base_last_run_failed", failed ? 1 : 0),
  ]);
}

function samplesOf(record: BackupRecord): SampleOf<"soar-base-backup">[] {
  const { stoppedAt, durationMs, sizes, damagedPages, omitted } = record;
  return [
    sample("backup_base_last_success_timestamp_seconds", Date.parse(stoppedAt) / 1000),
    sample("backup_base_last_duration_seconds", durationMs / 1000),
    sample("backup_base_last_size_bytes", sizes.database),
    sample("backup_base_stored_bytes", sizes.new),
    sample("backup_base_damaged_files", damagedPages.length + (omitted?.damagedPages ?? 0)),
  ];
}
