import type { Config } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { runDatabaseRescue, type RescueContext } from "./database.ts";
import type { databaseFormOptions } from "./rescue-options.ts";
import type { restoreOptions } from "./restore-options.ts";

type Context = RescueContext & { readonly config: Config<typeof restoreOptions> };

/**
 * `soar-restore --target-database DB --no-destructive`, as the specification calls it. False when a restore of the cluster
 * is meant. Throws `USAGE` for a form that could mean either, showing both.
 */
export async function runDatabaseForm(context: Context): Promise<boolean> {
  const { config } = context;
  const { targetDatabase } = config;
  requireClearForm(config);
  if (targetDatabase === undefined) return false;
  await runDatabaseRescue({
    ...context,
    config: { ...config, targetDatabase, port: config.port ?? config.serverPort },
  });
  return true;
}

type FormConfig = Config<typeof databaseFormOptions>;

function requireClearForm({ targetDatabase, destructive, database, replace, noOwner }: FormConfig): void {
  if (targetDatabase !== undefined && destructive) {
    throw new SoarError(
      "USAGE",
      `--target-database '${targetDatabase}' is ambiguous: a backup holds the whole cluster with all of its databases`,
      {
        hint: `To bring one database into the running server and touch nothing else: --target-database ${targetDatabase} --no-destructive. To restore the whole cluster, all databases: leave --target-database out.`,
      },
    );
  }
  if (targetDatabase !== undefined) return;
  const given = [
    destructive ? undefined : "--no-destructive",
    database === undefined ? undefined : "--database",
    replace ? "--replace" : undefined,
    noOwner ? "--no-owner" : undefined,
  ].find((flag) => flag !== undefined);
  if (given !== undefined)
    throw new SoarError("USAGE", `${given} goes with --target-database only: a restore is of the whole cluster`, {
      hint: "Add --target-database DB to rescue one database, or leave it out.",
    });
}
