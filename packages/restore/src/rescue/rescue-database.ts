import { join } from "node:path";
import { connectSql } from "@soar/pg-tools/replication";
import type { ObjectStore } from "@soar/storage";
import type { RestorePlan } from "../plan/plan.ts";
import { copyEmptyDatabase, dropEmptied, mayCopy } from "./empty-database.ts";
import { leased, type Replanning } from "./rescue-files.ts";
import type { RescueChoice, RescueScope } from "./rescue-scope.ts";
import { databaseArgument, runClientProgram, SCRATCH_FULL, TARGET_FULL } from "./run-client-program.ts";
import type { ScratchCluster, ScratchOptions } from "./scratch-types.ts";
import {
  dropDatabase,
  findMaintenanceDatabase,
  inspectTargetDatabase,
  nameBeside,
  renameDatabase,
  requireFillable,
  swapDatabases,
  type TargetDatabase,
  type TargetServer,
} from "./target-database.ts";

export interface DatabaseRescueOptions extends ScratchOptions, Replanning {
  /** The database to rescue, by its name at the target. */
  readonly database: string;
  /** Name of the database to load it into. */
  readonly target: string;
  readonly targetServer: TargetServer;
  /** Load beside a database that is not empty, and take its place. */
  readonly replace: boolean;
  /** Leave owners and privileges out, where the target server has other roles. */
  readonly noOwner: boolean;
}

export interface DatabaseRescueReport {
  readonly plan: RestorePlan;
  readonly database: string;
  readonly target: string;
  /** Under this name the database stays whose place was taken. */
  readonly keptAs: string | undefined;
  /** What was fetched in the end. */
  readonly scope: RescueScope["kind"];
  readonly fetchedBytes: ScratchCluster["fetchedBytes"];
  readonly reachedLsn: bigint | undefined;
  readonly durationMs: number;
}

/**
 * Brings one database of the backup, as it was at the planned target, into a database of a running server, through a
 * scratch cluster. No other database of either is read or touched. Rejects with `TARGET_NOT_EMPTY` before anything
 * is fetched; a load that fails leaves no database behind that was not there before.
 */
export async function rescueDatabase(
  store: ObjectStore,
  planned: RestorePlan,
  options: DatabaseRescueOptions,
): Promise<DatabaseRescueReport> {
  const begin = performance.now();
  const found = await inspectTargetDatabase(options.targetServer, options.target, options.signal);
  requireFillable(options.target, found, options);
  const { value, scope, plan } = await leased(store, planned, options, (current) => ({
    database: options.database,
    choices: databaseChoices(current, options.database),
    verify: (choice, scratch) => verifyDatabase(choice, scratch, options.database),
    use: async (scratch) => ({ scratch, keptAs: await transfer(scratch, found, options) }),
  }));
  return {
    plan,
    database: options.database,
    target: options.target,
    keptAs: value.keptAs,
    scope,
    fetchedBytes: value.scratch.fetchedBytes,
    reachedLsn: value.scratch.outcome.reachedLsn,
    durationMs: Math.round(performance.now() - begin),
  };
}

/** A database that is not in the backup under this name was made or renamed since: its files, if any, may be anywhere. */
export function databaseChoices({ backup }: RestorePlan, name: string): RescueScope[] {
  const found = backup.databases.find((database) => database.name === name);
  return found === undefined ? [{ kind: "cluster" }] : [{ kind: "database", oid: found.oid }, { kind: "cluster" }];
}

export async function verifyDatabase(
  choice: RescueChoice,
  { server }: ScratchCluster,
  name: string,
): Promise<string | undefined> {
  if (choice.kind === "cluster") return undefined;
  await using connection = await connectSql(server);
  const [row] = await connection.query<{ oid: number }>(
    "SELECT oid::int8::float8 AS oid FROM pg_database WHERE datname = current_database()",
  );
  return row?.oid === choice.oid ? undefined : `database '${name}' is another one at the target than in the backup`;
}

/** Dumps and loads; resolves to the name under which a replaced database is kept. */
async function transfer(
  scratch: ScratchCluster,
  found: TargetDatabase,
  options: DatabaseRescueOptions,
): Promise<string | undefined> {
  const { target, targetServer, signal } = options;
  if (found.state === "empty") return await fillEmpty(scratch, options);
  // Under a name of its own until it is whole: the database appears complete or not at all.
  const fresh = nameBeside(target, "new");
  // pg_restore --create gives the new database owner, encoding, locale, settings and privileges, and the name it is dumped under.
  const renamed = await renameInScratch(scratch, fresh);
  await dump(renamed, options);
  await scratch.directory.noteDatabase(fresh, targetServer);
  try {
    const entrance = await findMaintenanceDatabase(targetServer, { avoid: [target, fresh], signal });
    await load(renamed, options, ["--create", databaseArgument(entrance), `--jobs=${options.jobs}`], NOTHING_LEFT);
    if (found.state === "filled") return await swapDatabases(targetServer, { fresh, name: target, signal });
    await renameDatabase(targetServer, { fresh, name: target, signal });
    return undefined;
  } catch (error) {
    await dropDatabase(targetServer, fresh);
    throw error;
  }
}

const NOTHING_LEFT = "Nothing was left behind. Where the target server has other roles: --no-owner.";

/** Keeps what the operator gave the empty database, and leaves it empty when anything fails. Resolves as `transfer`. */
async function fillEmpty(scratch: ScratchCluster, options: DatabaseRescueOptions): Promise<string | undefined> {
  const { target, targetServer, signal, jobs } = options;
  await dump(scratch, options);
  if (!(await mayCopy(targetServer, target, signal))) {
    await load(scratch, options, ["--single-transaction", databaseArgument(target)], NOTHING_LEFT);
    return undefined;
  }
  const fresh = nameBeside(target, "new");
  await scratch.directory.noteDatabase(fresh, targetServer);
  try {
    await copyEmptyDatabase(targetServer, { name: target, fresh, signal });
    await load(scratch, options, [databaseArgument(fresh), `--jobs=${jobs}`], NOTHING_LEFT);
    const old = await swapDatabases(targetServer, { fresh, name: target, signal });
    return (await dropEmptied(targetServer, old, signal)) ? undefined : old;
  } catch (error) {
    await dropDatabase(targetServer, fresh);
    throw error;
  }
}

/** By the catalog itself: ALTER DATABASE wants another database to be called from, and the others hold nothing. */
async function renameInScratch(scratch: ScratchCluster, name: string): Promise<ScratchCluster> {
  await using connection = await connectSql(scratch.server, { writes: true });
  await connection.query(
    "UPDATE pg_database SET datname = 'soar_renamed_' || oid WHERE datname = $1 AND datname <> current_database()",
    [name],
  );
  await connection.query("UPDATE pg_database SET datname = $1 WHERE datname = current_database()", [name]);
  return { ...scratch, server: { ...scratch.server, database: name } };
}

async function dump(
  { binDir, server, directory }: ScratchCluster,
  { jobs, signal, onEvent }: DatabaseRescueOptions,
): Promise<void> {
  onEvent?.({ type: "dumping" });
  const args = [
    "--format=directory",
    `--jobs=${jobs}`,
    "--compress=1",
    "--no-sync",
    "--no-subscriptions",
    "--create",
    "--file",
    directory.dumpDir,
  ];
  await runClientProgram(join(binDir, "pg_dump"), args, {
    server,
    text: "database",
    signal,
    hintWhenFull: SCRATCH_FULL,
    hint: "If it names a library, install that extension's package on this host and run the command again.",
  });
}

async function load(
  { binDir, directory }: ScratchCluster,
  options: DatabaseRescueOptions,
  into: readonly string[],
  hint: string,
): Promise<void> {
  const { signal, onEvent, noOwner, targetServer } = options;
  onEvent?.({ type: "loading" });
  const args = [...into, "--exit-on-error", ...(noOwner ? ["--no-owner", "--no-privileges"] : []), directory.dumpDir];
  await runClientProgram(join(binDir, "pg_restore"), args, {
    ...targetServer,
    text: "bytes",
    signal,
    hint,
    hintWhenFull: TARGET_FULL,
  });
}
