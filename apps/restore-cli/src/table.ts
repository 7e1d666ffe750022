import { resolve } from "node:path";
import { defineCommand, formatDuration, formatSize, openConfiguredStore, type Config, type Log } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { formatLsn } from "@soar/pg-tools";
import { planRestore, type RestoreTarget } from "@soar/restore/plan";
import {
  removeAbandoned,
  requireFree,
  rescueTables,
  type TableDestination,
  type TableRescueReport,
} from "@soar/restore/rescue";
import { showAbandoned, withRescueDisplay } from "./rescue-display.ts";
import { rescueOptions, scratchOptionsOf, sourceDatabaseOf, targetServerOf } from "./rescue-options.ts";
import { describeRescue, rescueAsJson, rescueReached } from "./rescue-plan.ts";
import { parsePlace, parseTableName } from "./table-names.ts";
import { targetOf, timelineOf } from "./target-options.ts";

const options = {
  ...rescueOptions,
  output: {
    type: "string",
    group: "Rescue",
    placeholder: "FILE",
    help: "Write SQL for psql to this file, which must not exist; with the extension .dump an archive for pg_restore.",
  },
  into: {
    type: "string",
    group: "Rescue",
    placeholder: "DB",
    help: "Load into this database of the running server, all or nothing.",
  },
  as: {
    type: "string",
    group: "Rescue",
    placeholder: "PLACE",
    help: "Another schema for the tables, or SCHEMA.NAME for a single one.",
  },
  "data-only": { type: "boolean", default: false, group: "Rescue", help: "Rows only, without definition and indexes." },
} as const;

export const table = defineCommand({
  name: "table",
  summary: "Rescue tables, as they were at an instant, into a file or a database.",
  description:
    "Fetches the catalogs of the database and the files of these tables, with partitions, indexes, TOAST and owned sequences, into a scratch cluster under BACKUP_TEMP_DIR, replays WAL to the target, and dumps them. Without a target, the latest state that is in the bucket.",
  positionals: { tables: { many: true, help: "Tables, as SCHEMA.TABLE." } },
  options,
  examples: [
    {
      command:
        "soar-restore table public.devices --database soar --target-time '2025-01-10 14:25:00' --data-only --output devices_restore.sql",
      explanation: "to look at, and to load with psql",
    },
    {
      command: "soar-restore table public.devices public.flights --database soar --into soar --as rescued",
      explanation: "beside the living ones, in a schema of their own",
    },
  ],
  async run({ config, positionals, log, output, signal, startProgress, envFile }) {
    const tables = positionals.tables.map(parseTableName);
    if (tables.length === 0)
      throw new SoarError("USAGE", "no table is named", {
        hint: "For example: soar-restore table public.devices --database soar --output devices.sql.",
      });
    const place = config.as === undefined ? undefined : parsePlace(config.as);
    if (place?.name !== undefined && tables.length > 1)
      throw new SoarError("USAGE", `--as '${config.as}' gives ${tables.length} tables one name`, {
        hint: "Name a schema only: --as SCHEMA.",
      });
    const [database, destination] = [sourceDatabaseOf(config), destinationOf(config, log)];
    const store = await openConfiguredStore(config, { log, envFile });
    try {
      const replan = () =>
        planRestore(store, {
          target: targetOrLatest(config),
          backup: config.baseBackup,
          timeline: timelineOf(config),
          signal,
        });
      const plan = await replan();
      const rescue = { database, tables, destination, place, dataOnly: config.dataOnly, noOwner: config.noOwner };
      await requireFree(rescue);
      const names = tables.map(({ schema, name }) => `${schema}.${name}`).join(", ");
      const text = describeRescue(plan, [
        ["tables", `${names} of database ${database}`],
        ["into", config.output ?? `database ${config.into}${config.as === undefined ? "" : ` as ${config.as}`}`],
        ["scratch in", config.tempDir],
      ]);
      if (config.dryRun)
        return output.report({
          json: rescueAsJson(plan, { database, tables, into: config.output ?? config.into }),
          text: () => text,
        });
      log.info(`rescuing ${names} of database ${database}, backup ${plan.backup.label}`);
      const scratch = await scratchOptionsOf(config, signal);
      const targetServer = destination.kind === "database" ? destination.targetServer : undefined;
      showAbandoned(log, await removeAbandoned(config.tempDir, { ...scratch, targetServer }));
      const report = await withRescueDisplay({ log, startProgress }, (onEvent) =>
        rescueTables(store, plan, { ...scratch, ...rescue, replan, onEvent }),
      );
      log.info(
        `rescue completed: ${names} of database ${database} at ${report.reachedLsn === undefined ? "the target" : formatLsn(report.reachedLsn)}`,
      );
      output.report({ json: reportAsJson(report), text: () => reportText(report, config) });
    } finally {
      await store.close();
    }
  },
});

type TableConfig = Config<typeof options>;

/** Exactly one of `--output` and `--into`. Throws `USAGE`. */
function destinationOf(config: TableConfig, log: Log): TableDestination {
  const { output: path, into } = config;
  if ((path === undefined) === (into === undefined))
    throw new SoarError("USAGE", "it is not said where the tables shall go", {
      hint: "Name either a file, --output devices.sql, or a database, --into soar.",
    });
  if (into !== undefined) return { kind: "database", name: into, targetServer: targetServerOf(config, into, log) };
  return { kind: "file", path: resolve(path ?? ""), format: path?.endsWith(".dump") === true ? "custom" : "plain" };
}

/** Of a rescue nothing is overwritten, so it may begin with the newest state that there is. */
function targetOrLatest(config: TableConfig): RestoreTarget {
  const isNamed =
    config.immediate ||
    [config.targetTimeMicros, config.targetLsn, config.targetXid, config.targetName].some(
      (value) => value !== undefined,
    );
  return targetOf(isNamed ? config : { ...config, latest: true });
}

function reportText(
  { plan, tables, fetchedBytes, reachedLsn, durationMs }: TableRescueReport,
  { output: path, into, dataOnly }: TableConfig,
): string {
  const lines = [
    [
      "rescued",
      `${tables.length === 1 ? `${tables[0]?.schema}.${tables[0]?.name}` : `${tables.length} tables and partitions`} in ${formatDuration(durationMs)}`,
    ],
    ["reached", rescueReached(reachedLsn, plan)],
    [
      "fetched",
      `${formatSize(fetchedBytes.backup)} of ${formatSize(plan.backup.sizes.stored)} of backup, ${formatSize(fetchedBytes.wal)} of WAL`,
    ],
    [
      "next",
      path === undefined
        ? `look at them: psql -d '${into}'`
        : path.endsWith(".dump")
          ? `pg_restore --list '${path}', then pg_restore -d DB '${path}'`
          : `read it, then: psql -d DB -f '${path}'${dataOnly ? "; it adds rows to the table that is there" : ""}`,
    ],
  ] as const;
  return lines.map(([name, text]) => `${`${name}:`.padEnd(16)}${text}`).join("\n");
}

function reportAsJson({ plan, reachedLsn, ...report }: TableRescueReport): unknown {
  return {
    version: 1,
    backup: plan.backup.label,
    storedBytes: plan.backup.sizes.stored,
    ...report,
    plannedLsn: formatLsn(plan.resolved.stopLsn),
    reachedLsn: reachedLsn && formatLsn(reachedLsn),
  };
}
