import { dirname, join } from "node:path";
import { statIfPresent, writeNew } from "@soar/durable-files";
import { openOrdinaryIfPresent } from "@soar/durable-files/if-present";
import { SoarError } from "@soar/errors";
import { connectSql, quoteIdentifier } from "@soar/pg-tools/replication";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import { pageSizeOf } from "./page-size.ts";
import type { ObjectStore } from "@soar/storage";
import type { RestorePlan } from "../plan/plan.ts";
import { chooseRelations, type TableName } from "./choose-relations.ts";
import { databaseChoices, verifyDatabase } from "./rescue-database.ts";
import { leased, type Replanning } from "./rescue-files.ts";
import type { RescueChoice, RescueScope } from "./rescue-scope.ts";
import { findHollowFiles, moveTables, resolveTables, type NewPlace, type ResolvedTable } from "./resolve-tables.ts";
import { databaseArgument, runClientProgram, SCRATCH_FULL, TARGET_FULL } from "./run-client-program.ts";
import type { ScratchCluster, ScratchOptions } from "./scratch-types.ts";
import { databaseOn, type TargetServer } from "./target-database.ts";

/** Where rescued tables go. */
export type TableDestination =
  /** A file that does not exist yet: SQL for psql, or an archive for pg_restore. */
  | { readonly kind: "file"; readonly path: string; readonly format: "plain" | "custom" }
  /** A database of a running server, all or nothing. */
  | { readonly kind: "database"; readonly name: string; readonly targetServer: TargetServer };

export interface TableRescueOptions extends ScratchOptions, Replanning {
  readonly database: string;
  readonly tables: readonly TableName[];
  readonly destination: TableDestination;
  /** Rows only, for a table that is there. */
  readonly dataOnly: boolean;
  readonly place?: NewPlace | undefined;
  readonly noOwner: boolean;
}

export interface TableRescueReport {
  readonly plan: RestorePlan;
  readonly database: string;
  /** As they are called where they are now, with partitions. */
  readonly tables: readonly TableName[];
  readonly scope: RescueScope["kind"];
  readonly fetchedBytes: ScratchCluster["fetchedBytes"];
  readonly reachedLsn: bigint | undefined;
  readonly durationMs: number;
}

/**
 * Brings tables of the backup, with partitions, indexes and owned sequences, as they were at the planned target, into a
 * file or a database, through a scratch cluster for which only the catalogs and the tables' own files are fetched.
 * Rejects with `TARGET_NOT_EMPTY` before anything is fetched when the file or a table is there already.
 */
export async function rescueTables(
  store: ObjectStore,
  planned: RestorePlan,
  options: TableRescueOptions,
): Promise<TableRescueReport> {
  const begin = performance.now();
  await requireFree(options);
  const { value, scope, plan } = await leased(store, planned, options, (current) => ({
    database: options.database,
    choices: tableChoices(current, options),
    verify: (choice, scratch) => verifyTables(choice, scratch, options),
    use: async (scratch) => ({ scratch, tables: await transfer(scratch, options) }),
  }));
  return {
    plan,
    database: options.database,
    tables: value.tables.map(({ schema, name }) => ({ schema, name })),
    scope,
    fetchedBytes: value.scratch.fetchedBytes,
    reachedLsn: value.scratch.outcome.reachedLsn,
    durationMs: Math.round(performance.now() - begin),
  };
}

/** Throws `TARGET_NOT_EMPTY` when what would be made is there. Looks only. */
export async function requireFree({
  destination,
  tables,
  place,
  dataOnly,
}: Pick<TableRescueOptions, "destination" | "tables" | "place" | "dataOnly">): Promise<void> {
  if (destination.kind === "file") {
    if ((await statIfPresent(destination.path)) !== undefined)
      throw new SoarError("TARGET_NOT_EMPTY", `unable to write '${destination.path}': it is there already`, {
        hint: "Name another file with --output. Nothing was changed.",
      });
    if ((await statIfPresent(dirname(destination.path))) === undefined)
      throw new SoarError("FILE_UNWRITABLE", `unable to write '${destination.path}': its directory does not exist`);
    return;
  }
  const server = databaseOn(destination.targetServer, destination.name);
  await using connection = await connectSql(server, { text: "unicode" });
  if (dataOnly) return;
  for (const { schema, name } of tables) {
    const table = { schema: place?.schema ?? schema, name: place?.name ?? name };
    const [row] = await connection.query<{ found: string | null }>("SELECT to_regclass($1) AS found", [
      quoteIdentifier(table.schema, table.name),
    ]);
    if ((row?.found ?? null) === null) continue;
    throw new SoarError(
      "TARGET_NOT_EMPTY",
      `unable to load table '${table.schema}.${table.name}' into database '${destination.name}': it is there already`,
      {
        hint: "Give it another place with --as SCHEMA or --as SCHEMA.NAME, or add its rows to the existing table with --data-only. Nothing was changed.",
      },
    );
  }
}

function tableChoices(plan: RestorePlan, { database, tables }: TableRescueOptions): RescueChoice[] {
  const choices = databaseChoices(plan, database);
  const [first] = choices;
  if (first?.kind !== "database") return choices;
  const common = {
    tables,
    blockSize: pageSizeOf(plan.backup),
    postgresMajor: majorOfVersionNumber(plan.backup.postgresVersion),
  };
  return [
    {
      kind: "relations-to-choose",
      oid: first.oid,
      choose: (directories) => chooseRelations({ ...common, directories }),
    },
    ...choices,
  ];
}

/** The choice was made in the catalogs of the backup; whether it was right is seen in those of the target. */
async function verifyTables(
  choice: RescueChoice,
  scratch: ScratchCluster,
  { database, tables }: TableRescueOptions,
): Promise<string | undefined> {
  const doubt = await verifyDatabase(choice, scratch, database);
  if (doubt !== undefined || choice.kind !== "relations-to-choose") return doubt;
  await using connection = await connectSql(scratch.server, { text: "unicode" });
  const hollow = await findHollowFiles(connection, await resolveTables(connection, tables), scratch.placeholders);
  return hollow.length === 0
    ? undefined
    : `at the target the tables lie in files that were not fetched: ${hollow.join(", ")}`;
}

async function transfer(scratch: ScratchCluster, options: TableRescueOptions): Promise<ResolvedTable[]> {
  await using connection = await connectSql(scratch.server, { writes: true, text: "unicode" });
  const found = await resolveTables(connection, options.tables);
  const tables = options.place === undefined ? found : await moveTables(connection, found, options.place);
  await dump(scratch, tables, options);
  const { destination } = options;
  if (destination.kind === "file") await publish(scratch.directory.dumpDir, destination.path);
  else await load(scratch, tables, { ...options, destination });
  return tables;
}

async function dump(
  { binDir, server, directory }: ScratchCluster,
  tables: readonly ResolvedTable[],
  { destination, dataOnly, noOwner, signal, onEvent }: TableRescueOptions,
): Promise<void> {
  onEvent?.({ type: "dumping" });
  const format = destination.kind === "file" ? destination.format : "custom";
  const args = [
    `--format=${format}`,
    ...(format === "custom" ? ["--compress=1"] : []),
    ...(dataOnly ? ["--data-only"] : []),
    ...(noOwner ? ["--no-owner", "--no-privileges"] : []),
    "--file",
    directory.dumpDir,
    // Partitions one by one: before version 16 a partitioned table is dumped without them.
    ...tables.map((table) => `--table=${quoteIdentifier(table.schema, table.name)}`),
  ];
  await runClientProgram(join(binDir, "pg_dump"), args, {
    server,
    // For the names of the tables.
    text: "unicode",
    signal,
    hintWhenFull: SCRATCH_FULL,
    hint: "If it names a library, install that extension's package on this host and run the command again.",
  });
}

/** The file appears whole or not at all, and never in the place of another one. */
async function publish(dumpFile: string, path: string): Promise<void> {
  const hint = "Name another file with --output.";
  // It lies where the server's user can put links, and is read for whoever gets the file.
  await using dumped = await openOrdinaryIfPresent(dumpFile);
  if (dumped === undefined) throw new SoarError("FILE_UNREADABLE", `unable to read '${dumpFile}': it is gone`);
  const mode = (await dumped.stat()).mode & 0o777;
  // What was rescued is told to be there, and the scratch server that it comes from is thrown away.
  if (await writeNew(path, dumped.createReadStream(), { mode, sync: "directory", hint })) return;
  throw new SoarError("FILE_UNWRITABLE", `unable to write '${path}': it is there already`, { hint });
}

type LoadOptions = TableRescueOptions & { readonly destination: Extract<TableDestination, { kind: "database" }> };

/** One transaction: a load that fails leaves nothing behind. */
async function load(
  { binDir, directory }: ScratchCluster,
  tables: readonly ResolvedTable[],
  { destination, noOwner, signal, onEvent }: LoadOptions,
): Promise<void> {
  onEvent?.({ type: "loading" });
  const server = databaseOn(destination.targetServer, destination.name);
  await using connection = await connectSql(server, { writes: true, text: "unicode", signal });
  const schemas = [...new Set(tables.map(({ schema }) => schema))];
  const present = await connection.query<{ name: string }>(
    "SELECT nspname AS name FROM pg_namespace WHERE nspname = ANY ($1)",
    [schemas],
  );
  const created = schemas.filter((schema) => !present.some(({ name }) => name === schema));
  for (const schema of created) await connection.query(`CREATE SCHEMA ${quoteIdentifier(schema)}`);
  try {
    const args = [
      databaseArgument(destination.name),
      "--single-transaction",
      "--exit-on-error",
      ...(noOwner ? ["--no-owner", "--no-privileges"] : []),
      directory.dumpDir,
    ];
    await runClientProgram(join(binDir, "pg_restore"), args, {
      server,
      text: "bytes",
      certificateFile: destination.targetServer.certificateFile,
      signal,
      hintWhenFull: TARGET_FULL,
      hint: "Nothing was left behind. What a table needs beside itself, such as types and functions, must be there; where roles are missing: --no-owner.",
    });
  } catch (error) {
    for (const schema of created) await connection.query(`DROP SCHEMA ${quoteIdentifier(schema)}`);
    throw error;
  }
}
