import { hostname } from "node:os";
import { defineCommand, openConfiguredStore, type CommandContext } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { removeAbandoned } from "@soar/restore/rescue";
import { runDrill, type DrillOutcome, type DrillReport } from "@soar/verify";
import { checkReport } from "./check-report.ts";
import { describeDrill } from "./describe-drill.ts";
import { drillOptions } from "./drill-options.ts";
import { prepareDrill } from "./prepare-drill.ts";
import { showDrill } from "./show-drill.ts";
import { openReportPlace, type ReportFiles } from "./store-report.ts";
import { reportDrillOutcome, tellFailure } from "./tell-drill.ts";

export const drill = defineCommand({
  name: "drill",
  summary: "Restore into a scratch cluster, check what came back, time it, remove it.",
  description:
    "Restores below BACKUP_TEMP_DIR as every restore does, with a port and a socket of its own and without archiving; then reads it with pg_amcheck, pg_checksums and pg_dump, runs your queries and your command, and keeps a report (JSON and a page). No living cluster is touched.\n\nExit status 0: passed; 5: a check failed; anything else: the restore failed, with its own status, or it could not look.",
  options: drillOptions,
  examples: [
    { command: "soar-backup-verify drill", explanation: "the latest state of the whole cluster" },
    {
      command: "soar-backup-verify drill --at random --database soar",
      explanation: "one database at any instant of the window",
    },
    {
      command: "soar-backup-verify drill --sql /etc/soar/drill.sql --command 'cargo test'",
      explanation: "with queries and tests of your own",
    },
  ],
  async run(context) {
    const { config, log, output } = context;
    if (config.check !== undefined) return output.report(await checkReport(config.check));
    await reportDrillOutcome({ config, log }, async (onReport) => await drillAndReport(context, onReport));
  },
  // A report that is looked at is no drill that failed.
  tellRefused: async ({ config, log }, error) => {
    if (config.check === undefined) await tellFailure({ config, log }, undefined, error);
  },
});

type DrillContext = Pick<
  CommandContext<typeof drillOptions, Readonly<Record<string, never>>>,
  "config" | "log" | "output" | "signal" | "startProgress" | "app" | "envFile"
>;

async function drillAndReport(
  { config, log, output, signal, startProgress, app, envFile }: DrillContext,
  onReport: (report: DrillReport) => void,
): Promise<void> {
  const prepared = await prepareDrill(config, { log, signal });
  const place = await openReportPlace(config);
  const store = await openConfiguredStore(config, { log, envFile });
  const progress = startProgress({ label: "fetch", unit: "bytes" });
  try {
    for (const { path } of await removeAbandoned(config.tempDir, prepared))
      log.warn(`removed ${path}, left by a run that was killed`);
    const show = showDrill({ log, progress });
    const outcome = await runDrill(store, {
      ...prepared,
      host: hostname(),
      tool: `${app.name} ${app.version}`,
      now: () => new Date(),
      onEvent: show,
    });
    progress.finish();
    const files = await place.store(outcome.report);
    onReport(outcome.report);
    output.report({
      json: { ...outcome.report, files, kept: outcome.kept },
      text: () => describeDrill(outcome, { files, width: Math.min(80, output.width) }),
    });
    requirePassed(outcome, files);
    log.info(`drill passed: digest of the report ${outcome.report.digest}`);
  } finally {
    progress.finish();
    await store.close();
  }
}

/** What ended the restore keeps its own code; a check that failed is a finding. */
function requirePassed({ report, failure }: DrillOutcome, { page }: ReportFiles): void {
  if (failure !== undefined) throw failure;
  if (report.outcome === "passed") return;
  throw new SoarError("FINDINGS", `drill failed: ${report.reason ?? ""}`, { hint: `Read the report in '${page}'.` });
}
