import { join } from "node:path";
import { programFailed, runProgram } from "@soar/programs";
import { asOwner, requireOwner } from "./cluster-owner.ts";
import type { StartClusterOptions } from "./start-cluster.ts";

export interface SingleUserOptions extends Pick<
  StartClusterOptions,
  "binDir" | "dataDir" | "owner" | "configFile" | "settings" | "signal"
> {
  /** To enter; also one that lets nobody in (`ALLOW_CONNECTIONS false`). */
  readonly database: string;
  /** One a line, without a line break in it. */
  readonly statements: readonly string[];
}

/**
 * Gives statements to the cluster of a server that does not run, by `postgres --single`: as the superuser that initdb made,
 * whatever name and rights that role has by now, for nobody logs in. Rejects with `PROGRAM_FAILED` and the server's words when the
 * database cannot be entered. What became of a statement is not told: look at the server afterwards.
 */
export async function runSingleUser(options: SingleUserOptions): Promise<void> {
  const { binDir, dataDir, configFile, settings, database, statements, signal } = options;
  const chosen = {
    ...(configFile === undefined ? {} : { config_file: configFile }),
    ...settings,
    data_directory: dataDir,
    default_transaction_read_only: "off",
  };
  const command = await asOwner(options.owner ?? (await requireOwner(dataDir)), join(binDir, "postgres"), [
    "--single",
    "-D",
    dataDir,
    ...Object.entries(chosen).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    database,
  ]);
  const result = await runProgram(command.path, command.args, {
    owner: command.owner,
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
    input: statements.map((statement) => `${statement}\n`).join(""),
    signal,
  });
  if (result.status !== 0)
    throw programFailed("postgres --single", result, "Read what the server says against its database.");
}
