import {
  confirmOptions,
  findScratchPlace,
  postgresOptions,
  serverConnection,
  tempOptions,
  type Config,
  type Log,
  type OptionTable,
} from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import type { ScratchOptions, TargetServer } from "@soar/restore/rescue";
import { targetOptions } from "./target-options.ts";

const { "data-dir": _dataDir, "tablespace-map": _tablespaceMap, ...recoveryOptions } = targetOptions;

/** What the rescue commands share. */
export const rescueOptions = {
  ...recoveryOptions,
  ...postgresOptions,
  ...tempOptions,
  ...confirmOptions,
  database: {
    type: "string",
    group: "Rescue",
    placeholder: "DB",
    unset: "that of PGDATABASE",
    help: "Database to rescue from, by its name at the target.",
  },
  "no-owner": {
    type: "boolean",
    default: false,
    group: "Rescue",
    help: "Leave owners and privileges out, where the server has other roles.",
  },
  owner: {
    type: "string",
    default: "postgres",
    group: "Rescue",
    placeholder: "USER",
    help: "Who runs the scratch server, when this runs as root.",
  },
  "dry-run": { type: "boolean", default: false, group: "Rescue", help: "Show the plan and stop." },
} as const satisfies OptionTable;

const { port: serverPort, ...connectionOptions } = postgresOptions;

/** What `soar-restore --target-database` adds to a restore, whose `--port` is that of the restored server. */
export const databaseFormOptions = {
  ...connectionOptions,
  ...tempOptions,
  "server-port": { ...serverPort, flag: false },
  "target-database": {
    type: "string",
    group: "Rescue",
    placeholder: "DB",
    help: "Do not restore the cluster: rescue one database into this one of the running server. Needs --no-destructive.",
  },
  destructive: {
    type: "boolean",
    default: true,
    group: "Rescue",
    help: "With --target-database: touch nothing but that database.",
  },
  database: rescueOptions.database,
  replace: {
    type: "boolean",
    default: false,
    group: "Rescue",
    help: "With --target-database: take the place of a database that is not empty; the old one is kept under another name.",
  },
  "no-owner": rescueOptions["no-owner"],
} as const satisfies OptionTable;

export type RescueConfig = Config<typeof rescueOptions>;

/** The database to rescue from. Throws `USAGE` when none is named. */
export function sourceDatabaseOf({ database, dbname }: Pick<RescueConfig, "database" | "dbname">): string {
  // The default of PGDATABASE is for connecting; nobody keeps data there.
  const name = database ?? (dbname === "postgres" ? undefined : dbname);
  if (name !== undefined) return name;
  throw new SoarError("USAGE", "no database is named", {
    hint: "Name the database to rescue with --database, or set PGDATABASE.",
  });
}

/** The running server that things are rescued into. */
export function targetServerOf(config: RescueConfig, database: string, log: Log): TargetServer {
  return {
    server: serverConnection(config, { applicationName: "soar-restore", database, log }),
    maintenanceDatabase: config.dbname,
    certificateFile: config.sslrootcert,
  };
}

export async function scratchOptionsOf(
  config: RescueConfig,
  signal: AbortSignal,
): Promise<Omit<ScratchOptions, "onEvent">> {
  return { ...(await findScratchPlace(config)), signal };
}
