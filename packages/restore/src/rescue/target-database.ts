import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { SoarError } from "@soar/errors";
import {
  connectSomewhere,
  connectSql,
  quoteIdentifier,
  type ConnectSqlOptions,
  type ConnectionConfig,
  type SqlConnection,
} from "@soar/pg-tools/replication";

/** A running server that something is rescued into. */
export interface TargetServer {
  readonly server: ConnectionConfig;
  /** For what concerns the server as a whole, where it can be entered; `postgres` unless said otherwise. */
  readonly maintenanceDatabase?: string | undefined;
  /** File of the certificates to check it with, for programs that want a path. */
  readonly certificateFile?: string | undefined;
}

export type TargetDatabase =
  | { readonly state: "absent" }
  | { readonly state: "empty" }
  | { readonly state: "filled"; readonly objects: number; readonly sizeBytes: number };

/** Everything that somebody made in a database, without what belongs to extensions. */
const OBJECTS = `
SELECT count(*)::int AS objects, pg_database_size(current_database())::float8 AS size FROM (
  SELECT 'pg_class'::regclass AS class, oid FROM pg_class WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_(toast|catalog|temp)' OR nspname = 'information_schema')
  UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE oid >= 16384
  UNION ALL SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_'
  UNION ALL SELECT 'pg_largeobject'::regclass, oid FROM pg_largeobject_metadata
) made WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = made.class AND d.objid = made.oid AND d.deptype = 'e')`;

export interface MaintenanceOptions extends ConnectSqlOptions {
  /** Databases that are going to be renamed, dropped or copied, which is done with those only that nobody is connected to. */
  readonly avoid: readonly string[];
}

/** The server, in any database but those that something is going to be done with. */
export async function connectMaintenance(
  { server, maintenanceDatabase = "postgres" }: TargetServer,
  options: MaintenanceOptions,
): Promise<SqlConnection> {
  return await connectSomewhere({ ...server, database: maintenanceDatabase }, options);
}

/** A database for programs of PostgreSQL that only begin there. */
export async function findMaintenanceDatabase(target: TargetServer, options: MaintenanceOptions): Promise<string> {
  await using connection = await connectMaintenance(target, options);
  return connection.database;
}

/** The server, in one of its databases. */
export function databaseOn({ server }: TargetServer, name: string): ConnectionConfig {
  return { ...server, database: name };
}

/** What there is of a database on the target server. Looks only. */
export async function inspectTargetDatabase(
  target: TargetServer,
  name: string,
  signal?: AbortSignal,
): Promise<TargetDatabase> {
  await using connection = await connectMaintenance(target, { avoid: [name], signal });
  if ((await connection.query("SELECT FROM pg_database WHERE datname = $1", [name])).length === 0)
    return { state: "absent" };
  await using inside = await connectSql(databaseOn(target, name), { signal });
  const [row] = await inside.query<{ objects: number; size: number }>(OBJECTS);
  return row === undefined || row.objects === 0
    ? { state: "empty" }
    : { state: "filled", objects: row.objects, sizeBytes: row.size };
}

/** Throws `TARGET_NOT_EMPTY` unless the database may be filled. */
export function requireFillable(name: string, found: TargetDatabase, { replace }: { readonly replace: boolean }): void {
  if (found.state !== "filled" || replace) return;
  throw new SoarError(
    "TARGET_NOT_EMPTY",
    `unable to restore into database '${name}': it holds ${found.objects} objects`,
    {
      hint: "Name a database that does not exist yet, or add --replace: the new state is loaded beside it, and the old one is kept under another name. Nothing was changed.",
    },
  );
}

/** A name for what is loaded beside a database until it takes its place, or for what had that place. */
export function nameBeside(name: string, purpose: "new" | "old"): string {
  const suffix =
    purpose === "new"
      ? `_soar_${randomBytes(4).toString("hex")}`
      : `_before_${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
  // PostgreSQL cuts names at 63 bytes without a word.
  return truncateBytes(name, 63 - suffix.length) + suffix;
}

/** Whether it is a name that `nameBeside` made for what is loaded. */
export function isNameBeside(name: string): boolean {
  return /_soar_[0-9a-f]{8}$/.test(name);
}

/**
 * Puts a freshly loaded database in the place of another one, which keeps existing under a new name. Its sessions are
 * ended, and both renames are one transaction, so that there is no moment with half of it, whenever this process dies.
 */
export async function swapDatabases(
  target: TargetServer,
  { fresh, name, signal }: { readonly fresh: string; readonly name: string; readonly signal: AbortSignal },
): Promise<string> {
  const old = nameBeside(name, "old");
  const work = (connection: SqlConnection) => renameBoth(connection, { fresh, name, old });
  await withoutSessions(target, { name, fresh, signal, work });
  return old;
}

export interface AloneOptions {
  readonly name: string;
  /** Another one that nobody may be connected to. */
  readonly fresh: string;
  readonly signal: AbortSignal;
  readonly work: (connection: SqlConnection) => Promise<void>;
}

/** Does something that the server does only with a database that nobody is connected to. */
export async function withoutSessions(
  target: TargetServer,
  { name, fresh, signal, work }: AloneOptions,
): Promise<void> {
  const avoid = [name, fresh];
  await using connection = await connectMaintenance(target, { avoid, writes: true, signal });
  await using other = await connectMaintenance(target, { avoid, signal });
  const stop = new AbortController();
  const working = work(connection).finally(() => stop.abort());
  const outcomes = await Promise.allSettled([endSessions(other, name, stop.signal), working]);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

const END_SESSIONS_EVERY_MS = 100;

/** The server lets nobody in while it renames a database, and waits five seconds for those who are there to be gone. */
async function endSessions(connection: SqlConnection, name: string, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await connection.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()",
      [name],
    );
    await setTimeout(END_SESSIONS_EVERY_MS);
  }
}

/** Gives a freshly loaded database its name. Rejects with `TARGET_NOT_EMPTY` when somebody took that meanwhile. */
export async function renameDatabase(
  target: TargetServer,
  { fresh, name, signal }: { readonly fresh: string; readonly name: string; readonly signal: AbortSignal },
): Promise<void> {
  await using connection = await connectMaintenance(target, { avoid: [fresh, name], writes: true, signal });
  if ((await connection.query("SELECT FROM pg_database WHERE datname = $1", [name])).length > 0) {
    throw new SoarError(
      "TARGET_NOT_EMPTY",
      `unable to restore into database '${name}': it was created while the backup was read`,
      { hint: "Name another database, or drop that one. Nothing was left behind." },
    );
  }
  await connection.query(`ALTER DATABASE ${quoteIdentifier(fresh)} RENAME TO ${quoteIdentifier(name)}`);
}

async function renameBoth(
  connection: SqlConnection,
  { fresh, name, old }: { readonly fresh: string; readonly name: string; readonly old: string },
): Promise<void> {
  await connection.query("BEGIN");
  try {
    await connection.query(`ALTER DATABASE ${quoteIdentifier(name)} RENAME TO ${quoteIdentifier(old)}`);
    await connection.query(`ALTER DATABASE ${quoteIdentifier(fresh)} RENAME TO ${quoteIdentifier(name)}`);
    await connection.query("COMMIT");
  } catch (error) {
    await connection.query("ROLLBACK");
    throw error;
  }
}

/** Removes a database that a failed load left; nobody else has ever known its name. */
export async function dropDatabase(target: TargetServer, name: string): Promise<void> {
  await using connection = await connectMaintenance(target, { avoid: [name], writes: true });
  await connection.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)} WITH (FORCE)`);
}

function truncateBytes(text: string, limit: number): string {
  let cut = text;
  while (Buffer.byteLength(cut) > limit) cut = cut.slice(0, -1);
  return cut;
}
