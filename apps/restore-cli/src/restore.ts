import { confirmOptions, defineCommand, formatDuration, formatRate, formatSize, openConfiguredStore, type Log } from "@soar/app-kit";
import { formatLsn } from "@soar/pg-tools";
import { formatInstant, restoreCluster, type RestoreEvent, type RestoreReport } from "@soar/restore";
import { formatPlan, planAsJson } from "./format-plan.ts";
import { runDatabaseForm } from "./database-form.ts";
import { restoreInteractively } from "./interactive/restore-interactively.ts";
import { prepare } from "./prepare.ts";
import { databaseFormOptions } from "./rescue-options.ts";
import { findServerUser } from "./server-user.ts";
import { directoryOptions, targetOptions } from "./target-options.ts";
import { serverEnvironment, walFetchProgram } from "./wal-fetch-program.ts";

export const restoreOptions = {
  ...targetOptions,
  ...directoryOptions,
  ...confirmOptions,
  ...databaseFormOptions,
  "target-action": { type: "choice", choices: ["promote", "pause", "shutdown"], default: "promote", group: "Target", help: "What the server does when it has reached the target." },
  port: { type: "integer", min: 1, max: 65535, group: "Restore", unset: "that of its configuration", help: "Port of the restored server." },
  owner: { type: "string", default: "postgres", group: "Restore", placeholder: "USER", help: "Who owns the files and runs the server, when this runs as root." },
  "dry-run": { type: "boolean", default: false, group: "Restore", help: "Show the plan and stop." },
} as const;

export const restore = defineCommand({
  name: "restore",
  isDefault: true,
  summary: "Restore the cluster to an instant.",
  description:
    "Fetches a base backup into an empty data directory, replays WAL exactly to the target, and ends when the server takes writes. Before anything is touched it proves that the backup is complete, that no segment is missing and that the target can be reached.",
  options: restoreOptions,
  examples: [
    { command: "soar-restore --latest", explanation: "as much as there is in the bucket" },
    { command: "soar-restore --target-time '2025-01-10 14:25:00' --dry-run", explanation: "what it would do" },
    { command: "soar-restore --base-backup 2025-01-05 --target-time '2025-01-08 10:00:00' --data-dir /srv/copy --port 5433", explanation: "a copy beside the running server" },
    { command: "soar-restore --target-time '2025-01-10 14:25:00' --target-database soar_restore_test --no-destructive", explanation: "one database into the running server" },
  ],
  async run(context) {
    if (await restoreInteractively(context)) return;
    if (await runDatabaseForm(context)) return;
    const { config, log, output, signal, confirm, startProgress, envFile } = context;
    const store = await openConfiguredStore(config, { log });
    const progress = startProgress({ label: "restore", unit: "bytes" });
    try {
      const prepared = await prepare(store, config, signal);
      if (config.dryRun) return output.report({ json: planAsJson(prepared), text: () => formatPlan(prepared) });
      await confirm({ plan: formatPlan(prepared), question: `Restore into ${prepared.dataDir}`, yes: config.yes });
      const report = await restoreCluster(store, prepared.plan, {
        ...prepared,
        owner: await findServerUser(config.owner),
        jobs: config.jobs,
        walFetchProgram: walFetchProgram(config, envFile),
        env: serverEnvironment(process.env),
        port: config.port,
        action: config.targetAction,
        signal,
        onEvent: (event) => show(event, { update: (done, total) => progress.update(done, total), finish: () => progress.finish(), log }),
      });
      progress.finish();
      log.info(summarize(report));
      output.report({ json: reportAsJson(report), text: () => reportText(report) });
    } finally {
      progress.finish();
      await store.close();
    }
  },
});

interface Display {
  readonly update: (done: number, total: number) => void;
  readonly finish: () => void;
  readonly log: Log;
}

function show(event: RestoreEvent, { update, finish, log }: Display): void {
  if (event.type === "fetched") update(event.bytes, event.total);
  else if (event.type === "phase" && event.phase === "recover") {
    finish();
    log.info("backup fetched; replaying WAL");
  } else if (event.type === "prefetch-failed") log.warn(`${event.name} could not be fetched ahead; the server asks for it itself: ${reasonOf(event.error)}`);
  else if (event.type === "prefetch-ended") log.warn(`WAL is not fetched ahead any more; the server asks for it itself: ${reasonOf(event.error)}`);
  else if (event.type === "file-restored") log.debug(`replaying ${event.name}`);
  else if (event.type === "consistent") log.info(`consistent at ${formatLsn(event.lsn)}`);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function summarize({ outcome, plan, dataDir }: RestoreReport): string {
  return `restore completed: backup ${plan.backup.label}, reached ${outcome.reachedLsn === undefined ? "the target" : formatLsn(outcome.reachedLsn)} on timeline ${outcome.timeline} in ${dataDir}`;
}

function reportText(report: RestoreReport): string {
  const { plan, outcome, fenced, fetchMs, recoverMs } = report;
  const last = plan.resolved.lastReplayed;
  const lines = [
    ["reached", `${outcome.reachedLsn === undefined ? "the target" : formatLsn(outcome.reachedLsn)}, as planned`],
    ["last commit", last === undefined ? (outcome.lastCommitTime?.toISOString() ?? "none since the backup") : formatInstant(last.time)],
    ["timeline", String(outcome.timeline)],
    ["fetched", `${formatSize(plan.fetchBytes.backup)} in ${formatDuration(fetchMs)} (${formatRate(plan.backup.sizes.database / (fetchMs / 1000))} of database)`],
    ["replayed", `${outcome.restoredFiles} WAL files in ${formatDuration(recoverMs)}`],
    ...(report.savedWal === undefined ? [] : [["saved", `WAL that was not archived: ${report.savedWal}`]]),
    ["server", `${outcome.kind === "promoted" ? "takes writes" : outcome.kind} in ${report.dataDir}; its log: ${report.logFile}`],
    ["next", fenced ? "it is a copy and does not archive; give it a repository of its own to adopt it" : "take a base backup now: soar-base-backup"],
  ];
  return lines.map(([name, text]) => `${`${name}:`.padEnd(16)}${text}`).join("\n");
}

function reportAsJson({ plan, outcome, fenced, dataDir, savedWal, logFile, fetchMs, recoverMs }: RestoreReport): unknown {
  return {
    version: 1,
    backup: plan.backup.label,
    target: plan.target,
    plannedLsn: formatLsn(plan.resolved.stopLsn),
    reachedLsn: outcome.reachedLsn === undefined ? undefined : formatLsn(outcome.reachedLsn),
    lastCommit: plan.resolved.lastReplayed && formatInstant(plan.resolved.lastReplayed.time),
    timeline: outcome.timeline,
    outcome: outcome.kind,
    restoredFiles: outcome.restoredFiles,
    fenced,
    dataDir,
    savedWal,
    logFile,
    fetchMs,
    recoverMs,
  };
}
