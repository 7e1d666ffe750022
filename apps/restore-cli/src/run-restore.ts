import {
  findServerUser,
  handOnStorage,
  openConfiguredStore,
  type CommandContext,
  type Config,
  type OptionTable,
} from "@soar/app-kit";
import { archiveBeside } from "@soar/archive";
import { SoarError } from "@soar/errors";
import { restoreCluster } from "@soar/restore";
import { clientsText, connectedClients } from "./connected-clients.ts";
import { formatPlan, showPlan } from "./format-plan.ts";
import { finishWithoutPlan } from "./finish-unplanned.ts";
import { inspect, planFor, prepare, systemEnvironment, type Prepared } from "./prepare.ts";
import { restoreDisplay } from "./restore-events.ts";
import type { restoreOptions } from "./restore-options.ts";
import { finishedEarlier } from "./finished-earlier.ts";
import { reportText, summarize } from "./restore-report.ts";
import { reportAsJson } from "./restore-report-json.ts";
import { timelineOf } from "./target-options.ts";
import { serverEnvironment, walFetchProgram } from "./wal-fetch-program.ts";

type AnyContext = CommandContext<OptionTable, Readonly<Record<string, { readonly help: string }>>>;
export type RestoreContext = Omit<AnyContext, "config" | "positionals"> & {
  readonly config: Config<typeof restoreOptions>;
};

/** Plans, asks, restores, reports. */
export async function runRestore(context: RestoreContext): Promise<void> {
  const { config, log, output, signal, startProgress, envFile, app } = context;
  requireStop(config);
  const store = await openConfiguredStore(config, { log, envFile });
  const display = restoreDisplay({ begin: (label, unit) => startProgress({ label, unit }), log });
  try {
    if (config.dryRun) return showPlan(output, await inspect(store, config, signal));
    const archiveWal = archiveBeside(store, {
      codec: config.walCompression,
      level: config.walCompressionLevel,
      toolVersion: `${app.name} ${app.version}`,
    });
    const finishing = {
      archiveWal,
      systemEnv: systemEnvironment(),
      onFile: (files: number, total: number) => display.show({ type: "archived", files, total }),
    };
    if (await finishWithoutPlan(store, context, finishing)) return;
    const prepared = await prepare(store, config, signal);
    await ask(prepared, context);
    const storage = handOnStorage(config, "reads");
    log.info(`restoring ${prepared.dataDir} from backup ${prepared.plan.backup.label}`);
    const report = await restoreCluster(store, prepared.plan, {
      ...prepared,
      owner: await findServerUser(config.owner),
      jobs: config.jobs,
      walFetchProgram: walFetchProgram(storage, envFile),
      env: serverEnvironment(process.env, storage.environment),
      port: config.port,
      role: config.username,
      replan: async () => (await planFor(store, config, signal)).plan,
      archiveWal,
      signal,
      onEvent: display.show,
    });
    display.finish();
    const finished = finishedEarlier(prepared);
    log.info(summarize(report, finished));
    const asked = { ...prepared, timeline: timelineOf(config) };
    output.report({ json: reportAsJson(report, finished), text: () => reportText(report, asked, finished) });
  } finally {
    display.finish();
    await store.close();
  }
}

/** PostgreSQL promotes at the end of the WAL, whatever it is told to do at a target. */
function requireStop({ latest, targetAction }: RestoreContext["config"]): void {
  if (!latest || targetAction === "promote") return;
  throw new SoarError(
    "USAGE",
    `--target-action ${targetAction} goes with a target that lies before the end of the WAL: at the end PostgreSQL promotes`,
    {
      hint: "Name a time, an LSN, a transaction or a restore point instead of --latest, or leave --target-action out.",
    },
  );
}

/** What is lost for good is asked for by its own word. */
async function ask(prepared: Prepared, { config, confirm, log, signal }: RestoreContext): Promise<void> {
  const { approach } = prepared.checked;
  const isRunning = "running" in approach && approach.running !== undefined;
  const clients = isRunning
    ? [clientsText(await connectedClients(prepared.dataDir, { ...config, port: config.serverPort }, log, signal))]
    : [];
  const discards = approach.kind === "refill" && approach.ownData;
  const plan = [formatPlan(prepared), ...clients].join("\n");
  if (discards)
    await confirm({
      plan,
      question: `Overwrite what is in ${prepared.dataDir}, of which nothing but unarchived WAL is kept`,
      yes: config.yes,
      phrase: "discard",
    });
  else await confirm({ plan, question: `Restore into ${prepared.dataDir}`, yes: config.yes });
}
