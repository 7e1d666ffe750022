import { asError, SoarError } from "@soar/errors";
import type { ConnectionConfig } from "./connection-config.ts";
import { refusedPart } from "./server-failure.ts";
import { isUnicode } from "../server-text/server-text.ts";
import { connectSql, type ConnectSqlOptions, type SqlConnection } from "./sql-connection.ts";

const TEMPLATE = "template1";
/** Databases that initdb makes. Either of them can be dropped, renamed, or closed to a role. */
const USUAL = ["postgres", TEMPLATE] as const;

export interface SomewhereOptions extends ConnectSqlOptions {
  /** Databases that nobody may be connected to. */
  readonly avoid?: readonly string[] | undefined;
}

/**
 * Opens a session for what concerns the whole server, in whichever database lets us in: the configured one, then
 * `postgres`, then `template1`. Nobody can create a database while a session stays in `template1`, so from there it goes
 * on to any other. Rejects with why the first one could not be entered.
 */
export async function connectSomewhere(
  server: ConnectionConfig,
  options: SomewhereOptions = {},
): Promise<SqlConnection> {
  const { avoid = [] } = options;
  const names = [...new Set([server.database ?? USUAL[0], ...USUAL])].filter((name) => !avoid.includes(name));
  const connection = await connectFirst(
    names.map((database) => ({ ...server, database })),
    options,
  );
  if (connection.database !== TEMPLATE || server.database === TEMPLATE) return connection;
  return (await goOn(server, connection, options)) ?? connection;
}

/** In any other database that is there to be used; undefined when none can be entered. */
async function goOn(
  server: ConnectionConfig,
  connection: SqlConnection,
  options: SomewhereOptions,
): Promise<SqlConnection | undefined> {
  const rows = await connection.query<{ name: string }>(
    `SELECT datname AS name FROM pg_database WHERE datallowconn AND NOT datistemplate AND datconnlimit <> -2
       AND has_database_privilege(oid, 'CONNECT') AND datname <> ALL ($1) ORDER BY oid`,
    [options.avoid ?? []],
    options,
  );
  if (rows.length === 0) return undefined;
  const found = await connectFirst(
    rows.map(({ name: database }) => ({ ...server, database })),
    options,
  ).catch((error: unknown) => {
    if (refusedPart(error) === undefined) throw error;
    return undefined;
  });
  if (found !== undefined) await connection.close();
  return found;
}

export interface SuperuserOptions {
  /** Roles of which one may be a superuser, the likeliest first: any that is let in can say who is. */
  readonly roles: readonly (string | undefined)[];
  readonly databases: readonly (string | undefined)[];
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds a superuser of a server that we started, with access rules that let everybody in, and a database to enter: rights
 * of roles and databases are the source's, who need not have let the role in that takes its backups. Resolves to the
 * server with both. Rejects with `SERVER_DENIED` when no superuser may log in, else with why the first attempt failed.
 */
export async function findSuperuser(server: ConnectionConfig, options: SuperuserOptions): Promise<ConnectionConfig> {
  const { signal } = options;
  const known = (names: readonly (string | undefined)[]): string[] => [
    ...new Set(names.filter((name) => name !== undefined)),
  ];
  const [roles, databases] = [known(options.roles), known(options.databases)];
  const own = { ...server, isOwnServer: true };
  // A setting for sessions that only a superuser may give would keep all others out.
  const attempts = roles.flatMap((user) =>
    databases.flatMap((database) => [
      { ...own, user, database },
      { ...server, user, database },
    ]),
  );
  await using connection = await connectFirst(attempts, { signal });
  const rows = await connection.query<{ name: string }>(
    "SELECT rolname AS name FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY rolname <> current_user, oid",
    [],
    { signal },
  );
  // Programs can be told names of this kind only.
  const row = rows.find(({ name }) => isUnicode(name)) ?? rows[0];
  if (row !== undefined) return { ...own, user: row.name, database: connection.database };
  throw new SoarError("SERVER_DENIED", "no superuser of the source may log in", {
    hint: "Restore the whole cluster to a directory of its own instead, and give a superuser the right to log in there.",
  });
}

/** The first that lets us in. What would be the same everywhere ends it at once: a wrong password, a server that is not there. */
async function connectFirst(servers: readonly ConnectionConfig[], options: ConnectSqlOptions): Promise<SqlConnection> {
  let reason: Error | undefined;
  const strangers = new Set<string>();
  for (const server of servers) {
    if (strangers.has(server.user)) continue;
    try {
      return await connectSql(server, options);
    } catch (error) {
      const part = refusedPart(error);
      if (part === undefined) throw error;
      if (part === "role") strangers.add(server.user);
      reason ??= asError(error);
    }
  }
  throw reason ?? new SoarError("CONFIG_INVALID", "there is no database to connect to");
}
