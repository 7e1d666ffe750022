import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import { findScratchPlace, parseInstant, serverConnection, type Log } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import type { TargetServer } from "@soar/restore/rescue";
import { parseSqlChecks, type DrillInstant, type DrillOptions, type SqlCheck } from "@soar/verify";
import type { DrillConfig } from "./drill-options.ts";

/** Everything that the configuration says, before anything is read from the bucket. Throws `CONFIG_INVALID`, `USAGE`, `FILE_UNREADABLE`. */
export async function prepareDrill(
  config: DrillConfig,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): Promise<Omit<DrillOptions, "host" | "tool" | "now" | "onEvent">> {
  const { command, database, keep } = config;
  return {
    instant: instantOf(config, log),
    database,
    sqlChecks: config.sql === undefined ? [] : await readSqlChecks(config.sql),
    defaultDatabase: database ?? config.dbname,
    production: productionOf(config, log),
    command:
      command === undefined ? undefined : { line: command, env: harmlessEnvironment(process.env), cwd: process.cwd() },
    keep,
    ...(await findScratchPlace(config)),
    signal,
  };
}

function instantOf({ at, seed, timezone }: DrillConfig, log: Log): DrillInstant {
  if (seed !== undefined && at !== "random") throw new SoarError("USAGE", "--seed goes with --at random only");
  if (at === "latest") return { at };
  if (at !== "random") return { at: "time", micros: parseInstant(at, { zone: timezone }) };
  const chosen = seed ?? randomInt(2 ** 32);
  log.info(`seed of the random instant: ${chosen}`);
  return { at, seed: chosen };
}

async function readSqlChecks(path: string): Promise<SqlCheck[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new SoarError("FILE_UNREADABLE", `unable to read the queries of the drill: ${(cause as Error).message}`, {
      cause,
      hint: "Check BACKUP_DRILL_SQL or --sql.",
    });
  }
  return parseSqlChecks(text, path);
}

/** The server that the configuration leads to. Whether it is the one that was backed up is looked at before anything is compared. */
function productionOf(config: DrillConfig, log: Log): TargetServer {
  return {
    server: serverConnection(config, { applicationName: "soar-backup-verify drill", log }),
    certificateFile: config.sslrootcert,
  };
}

/** What leads to production, or into the bucket, is not passed on to the operator's command. */
const DANGEROUS = /^(?:PG|AWS_|BACKUP_|SOAR_|DATABASE_URL$)/;

function harmlessEnvironment(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !DANGEROUS.test(entry[0]),
    ),
  );
}
