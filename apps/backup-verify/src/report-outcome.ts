import { hostname } from "node:os";
import { notify, tellEach, type CommandContext } from "@soar/app-kit";
import { hasErrorCode, isSoarError, messageOf } from "@soar/errors";
import { levelOf } from "./choose-depth.ts";
import { reportText, summarize, type FinishedReport } from "./describe-report.ts";
import type { verifyOptions } from "./options.ts";
import { tellMetrics } from "./tell-metrics.ts";

export type VerifyContext = CommandContext<
  typeof verifyOptions,
  { readonly labels: { readonly help: string; readonly many: true; readonly optional: true } }
>;

/**
 * Runs a verification and tells its outcome: log, metrics, mail, webhook. When only the telling fails, the run fails with
 * that. The metrics are of whole repositories: a run of named backups, which somebody watches, leaves them alone.
 */
export async function reportOutcome(
  context: VerifyContext,
  work: (onReport: (report: FinishedReport) => void) => Promise<void>,
): Promise<void> {
  let report: FinishedReport | undefined;
  try {
    await work((finished) => (report = finished));
  } catch (error) {
    await tellFailure(context, report, error);
    throw error;
  }
  await tellEach(
    () => tellSuccess(context, report),
    () => tellRun(context, report, false),
  );
}

async function tellSuccess({ config }: VerifyContext, report: FinishedReport | undefined): Promise<void> {
  if (report === undefined) return;
  await notify(config, {
    outcome: "success",
    subject: `${hostname()}: backup verification passed`,
    text: summarize(report),
  });
}

async function tellRun(
  { config, positionals, argv }: Pick<VerifyContext, "config" | "positionals" | "argv">,
  report: FinishedReport | undefined,
  failed: boolean,
): Promise<void> {
  if (positionals.labels.length > 0) return;
  await tellMetrics(config.metricsFile, report, {
    level: levelOf(config, { labels: positionals.labels, argv }),
    failed,
    now: new Date(),
  });
}

/** The failure of the run is what it ends with; that telling it failed as well stands in the log. */
export async function tellFailure(
  context: Pick<VerifyContext, "config" | "positionals" | "log" | "argv">,
  report: FinishedReport | undefined,
  error: unknown,
): Promise<void> {
  const { config, log } = context;
  // The pattern that the specification has operators look for in backup.log; findings bring it with them.
  if (!hasErrorCode(error, "FINDINGS", "FINDINGS_MINOR"))
    log.error("verification failed: it could not look everywhere");
  const message = messageOf(error);
  const hint = isSoarError(error) && error.hint !== undefined ? `\n${error.hint}` : "";
  const details = report === undefined ? "" : `\n\n${reportText(report)}`;
  const isMinor = hasErrorCode(error, "FINDINGS_MINOR");
  try {
    await tellEach(
      () =>
        notify(config, {
          outcome: "failure",
          subject: `${hostname()}: backup verification ${isMinor ? "needs attention" : "failed"}`,
          text: `${message}${hint}${details}`,
        }),
      () => tellRun(context, report, !isMinor),
    );
  } catch (failure) {
    if (!isSoarError(failure)) throw failure;
    log.error(`not everybody was told that the verification failed: ${failure.message}`);
  }
}
