import {
  defineCommand,
  formatDuration,
  formatSize,
  openConfiguredStore,
  type CommandContext,
  type OptionTable,
} from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { formatLsn } from "@soar/pg-tools";
import {
  inspectTargetDatabase,
  removeAbandoned,
  requireFillable,
  rescueDatabase,
  type DatabaseRescueReport,
  type TargetDatabase,
} from "@soar/restore/rescue";
import { planRestore, type RestorePlan } from "@soar/restore/plan";
import type { ObjectStore } from "@soar/storage";
import { showAbandoned, withRescueDisplay } from "./rescue-display.ts";
import {
  rescueOptions,
  scratchOptionsOf,
  sourceDatabaseOf,
  targetServerOf,
  type RescueConfig,
} from "./rescue-options.ts";
import { describeRescue, rescueAsJson, rescueReached } from "./rescue-plan.ts";
import { targetOf, timelineOf } from "./target-options.ts";

const options = {
  ...rescueOptions,
  "target-database": {
    type: "string",
    required: true,
    group: "Rescue",
    placeholder: "DB",
    help: "Database of the running server to load it into; made when it does not exist.",
  },
  replace: {
    type: "boolean",
    default: false,
    group: "Rescue",
    help: "Take the place of a database that is not empty. The old one is kept under another name.",
  },
} as const;

export const database = defineCommand({
  name: "database",
  summary: "Rescue one database, as it was at an instant, into the running server.",
  description:
    "Fetches the files of that one database and the shared catalogs into a scratch cluster under BACKUP_TEMP_DIR, replays WAL to the target, and copies the database with pg_dump and pg_restore. No other database is read or touched. The scratch cluster does not archive and is removed afterwards.",
  options,
  examples: [
    {
      command:
        "soar-restore database --database soar --target-database soar_restore_test --target-time '2025-01-10 14:25:00'",
      explanation: "beside the living database",
    },
    {
      command: "soar-restore database --database soar --target-database soar --replace --latest",
      explanation: "in its place; the old one is kept under another name",
    },
  ],
  run: ({ config, ...context }) => runDatabaseRescue({ ...context, config }),
});

export interface DatabaseRescueConfig extends RescueConfig {
  readonly targetDatabase: string;
  readonly replace: boolean;
}

/** Named by nothing but options. */
type AnyContext = CommandContext<OptionTable, Readonly<Record<string, { readonly help: string }>>>;
export type RescueContext = Pick<AnyContext, "log" | "output" | "signal" | "confirm" | "startProgress" | "envFile">;

/** The command, however it was called. */
export async function runDatabaseRescue({
  config,
  log,
  output,
  signal,
  confirm,
  startProgress,
  envFile,
}: RescueContext & { readonly config: DatabaseRescueConfig }): Promise<void> {
  const source = sourceDatabaseOf(config);
  const { targetDatabase: target, replace } = config;
  if (target === "postgres" || target.startsWith("template"))
    throw new SoarError("USAGE", `unable to load into '${target}': it belongs to the server itself`, {
      hint: "Name another database with --target-database.",
    });
  const store = await openConfiguredStore(config, { log, envFile });
  try {
    const replan = () => planFor(store, config, signal);
    const plan = await replan();
    const targetServer = targetServerOf(config, target, log);
    const found = await inspectTargetDatabase(targetServer, target, signal);
    requireFillable(target, found, { replace });
    const text = describeRescue(plan, [
      ["database", source],
      ["into", `${target} on ${targetServer.server.host}:${targetServer.server.port}: ${consequence(found)}`],
      ["scratch in", config.tempDir],
    ]);
    if (config.dryRun)
      return output.report({
        json: rescueAsJson(plan, { database: source, targetDatabase: target, found }),
        text: () => text,
      });
    if (found.state === "filled")
      await confirm({ plan: text, question: `Replace database '${target}'`, yes: config.yes });
    else log.info(`rescuing database ${source} of backup ${plan.backup.label} into ${target}`);
    const scratch = await scratchOptionsOf(config, signal);
    showAbandoned(log, await removeAbandoned(config.tempDir, { ...scratch, targetServer }));
    const rescue = {
      ...scratch,
      database: source,
      target,
      targetServer,
      replace,
      noOwner: config.noOwner,
      replan,
    };
    const report = await withRescueDisplay({ log, startProgress }, (onEvent) =>
      rescueDatabase(store, plan, { ...rescue, onEvent }),
    );
    log.info(
      `rescue completed: database ${source} at ${report.reachedLsn === undefined ? "the target" : formatLsn(report.reachedLsn)} is in ${target}`,
    );
    output.report({ json: reportAsJson(report), text: () => reportText(report) });
  } finally {
    await store.close();
  }
}

function planFor(store: ObjectStore, config: DatabaseRescueConfig, signal: AbortSignal): Promise<RestorePlan> {
  const { baseBackup: backup } = config;
  return planRestore(store, { target: targetOf(config), backup, timeline: timelineOf(config), signal });
}

function consequence(found: TargetDatabase): string {
  if (found.state === "absent") return "it is created";
  if (found.state === "empty") return "it is there and empty, and is filled; its sessions are ended";
  return `it holds ${found.objects} objects (${formatSize(found.sizeBytes)}); its sessions are ended and it is kept under another name`;
}

function reportText({
  plan,
  database: source,
  target,
  keptAs,
  fetchedBytes,
  reachedLsn,
  durationMs,
}: DatabaseRescueReport): string {
  const lines = [
    ["rescued", `${source} into ${target}, in ${formatDuration(durationMs)}`],
    ["reached", rescueReached(reachedLsn, plan)],
    [
      "fetched",
      `${formatSize(fetchedBytes.backup)} of ${formatSize(plan.backup.sizes.stored)} of backup, ${formatSize(fetchedBytes.wal)} of WAL`,
    ],
    [
      "old state",
      keptAs === undefined ? undefined : `kept as ${keptAs}; when it is not needed any more: dropdb '${keptAs}'`,
    ],
    ["next", `statistics are not part of a dump: psql -d '${target}' -c ANALYZE`],
  ] as const;
  return lines.flatMap(([name, text]) => (text === undefined ? [] : [`${`${name}:`.padEnd(16)}${text}`])).join("\n");
}

function reportAsJson({ plan, reachedLsn, ...report }: DatabaseRescueReport): unknown {
  return {
    version: 1,
    backup: plan.backup.label,
    storedBytes: plan.backup.sizes.stored,
    ...report,
    plannedLsn: formatLsn(plan.resolved.stopLsn),
    reachedLsn: reachedLsn && formatLsn(reachedLsn),
  };
}
