import { hostname } from "node:os";
import { defineCommand, openConfiguredStore, serverConnection, type Log, type Progress } from "@soar/app-kit";
import { isSoarError, SoarError } from "@soar/errors";
import {
  askServer,
  verifyRepository,
  type Finding,
  type ReadMemory,
  type VerifyEvent,
  type VerifyReport,
} from "@soar/verify";
import { chooseDepth, unusable } from "./choose-depth.ts";
import { countBySeverity, egressCosts, reportText, summarize, type FinishedReport } from "./describe-report.ts";
import { verifyOptions } from "./options.ts";
import { reportOutcome, tellFailure, type VerifyContext } from "./report-outcome.ts";

export const verify = defineCommand({
  name: "verify",
  isDefault: true,
  summary: "Prove from the bucket that every instant of the window can be restored.",
  description:
    "Looks at every backup's record, objects, seek table and manifest, follows the WAL from every backup to now, and reads as many of the bytes as it is told: by default the newest backup and its WAL, and of the rest what was read longest ago, so that every byte is read again within 30 days. Named backups are read in full, with the WAL from the oldest of them on.\n\nExit status 0: nothing is wrong; 6: nothing is lost, but somebody should look; 5: something cannot be restored, or soon will not be; anything else: it could not look.",
  positionals: { labels: { help: "Labels of backups, for example 2025-01-05.", many: true, optional: true } },
  options: verifyOptions,
  examples: [
    { command: "soar-backup-verify", explanation: "what the weekly timer runs" },
    { command: "soar-backup-verify --level quick", explanation: "a matter of seconds: listings and records" },
    { command: "soar-backup-verify 2025-01-05", explanation: "every byte of one backup and of the WAL from it on" },
    { command: "soar-backup-verify --sample 3%", explanation: "at a known price: every byte again after 34 runs" },
  ],
  async run(context) {
    await reportOutcome(context, (onReport) => verifyAndPrint(context, onReport));
  },
  tellRefused: (context, error) => tellFailure(context, undefined, error),
});

async function verifyAndPrint(context: VerifyContext, onReport: (report: FinishedReport) => void): Promise<void> {
  const { config, positionals, log, output, signal, startProgress, argv, envFile } = context;
  const store = await openConfiguredStore(config, { log, envFile });
  const progress = startProgress({ label: "verify", unit: "bytes" });
  const startedAt = performance.now();
  try {
    const { depth, memory, findings } = await chooseDepth(config, {
      labels: positionals.labels,
      location: store.location,
      argv,
    });
    const verified = await verifyRepository(store, {
      labels: positionals.labels,
      depth,
      jobs: config.jobs,
      askServer: ({ systemIdentifier }) =>
        askServer(() => serverConnection(config, { applicationName: "soar-backup-verify", log }), systemIdentifier, {
          signal,
        }),
      host: hostname(),
      now: () => new Date(),
      limits: {
        backupWarningMs: config.baseWarningAgeMs,
        backupErrorMs: config.baseMaxAgeMs,
        archiveWarningMs: config.archiveMaxAgeMs === "off" ? undefined : config.archiveMaxAgeMs,
      },
      signal,
      onEvent: (event) => showEvent(event, { log, progress }),
    });
    progress.finish();
    const forgotten = await remember(memory, verified, config.stateDir);
    const report = {
      ...verified,
      findings: [...verified.findings, ...findings, ...forgotten],
      durationMs: Math.round(performance.now() - startedAt),
    };
    onReport(report);
    output.report({ json: toJson(report), text: () => reportText(report) });
    requireNoFindings(report, log);
  } finally {
    progress.finish();
    await store.close();
  }
}

function showEvent(event: VerifyEvent, { log, progress }: { readonly log: Log; readonly progress: Progress }): void {
  if (event.type === "progress") progress.update(event.done, event.total);
  else log.info(`expiry was not told of this verification: ${event.reason}`);
}

async function remember(
  memory: ReadMemory | undefined,
  { units }: VerifyReport,
  directory: string,
): Promise<Finding[]> {
  try {
    await memory?.remember({
      at: new Date(),
      read: units.read,
      damaged: new Set(units.damaged),
      existing: units.existing === undefined ? undefined : new Set(units.existing),
    });
    return [];
  } catch (error) {
    if (!isSoarError(error)) throw error;
    return [unusable(directory, error)];
  }
}

/** Without the thousands of units that a memory is about. */
function toJson(report: FinishedReport): object {
  return { version: 1, ...report, units: undefined, egress: egressCosts(report) };
}

/** The worst finding decides; notices are told and no more. */
function requireNoFindings(report: FinishedReport, log: Log): void {
  const { findings } = report;
  const worst =
    findings.find(({ severity }) => severity === "error") ?? findings.find(({ severity }) => severity === "warning");
  if (worst === undefined) return log.info(`verification passed: ${summarize(report)}`);
  const isError = worst.severity === "error";
  const verdict = isError ? "verification failed" : "verification needs attention";
  throw new SoarError(
    isError ? "FINDINGS" : "FINDINGS_MINOR",
    `${verdict}: ${countBySeverity(findings)}, first '${worst.where}': ${worst.what}`,
    { hint: worst.advice },
  );
}
