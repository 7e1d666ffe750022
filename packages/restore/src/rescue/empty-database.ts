import { quoteIdentifier, quoteLiteral, type SqlConnection } from "@soar/pg-tools/replication";
import {
  connectMaintenance,
  dropDatabase,
  inspectTargetDatabase,
  withoutSessions,
  type TargetServer,
} from "./target-database.ts";

/**
 * Whether the role may make a copy of this database and rename both. Who may not, because somebody else made the database for
 * them, can only fill it in one transaction.
 */
export async function mayCopy(target: TargetServer, name: string, signal: AbortSignal): Promise<boolean> {
  await using connection = await connectMaintenance(target, { avoid: [name], signal });
  const [row] = await connection.query<{ may: boolean }>(
    "SELECT r.rolsuper OR (r.rolcreatedb AND pg_has_role(d.datdba, 'USAGE')) AS may FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = $1",
    [name],
  );
  return row?.may === true;
}

/** Makes an empty database like another one: with its encoding, tablespace, extensions, owner, privileges and settings. */
export async function copyEmptyDatabase(
  target: TargetServer,
  { name, fresh, signal }: { readonly name: string; readonly fresh: string; readonly signal: AbortSignal },
): Promise<void> {
  await withoutSessions(target, {
    name,
    fresh,
    signal,
    work: async (connection) => {
      await connection.query(`CREATE DATABASE ${quoteIdentifier(fresh)} TEMPLATE ${quoteIdentifier(name)}`);
      await copyProperties(connection, name, fresh);
    },
  });
}

/** Drops the database whose place was taken, unless somebody has filled it meanwhile. Resolves to whether it is gone. */
export async function dropEmptied(target: TargetServer, name: string, signal: AbortSignal): Promise<boolean> {
  if ((await inspectTargetDatabase(target, name, signal)).state === "filled") return false;
  await dropDatabase(target, name);
  return true;
}

/** What CREATE DATABASE leaves out. */
async function copyProperties(connection: SqlConnection, name: string, fresh: string): Promise<void> {
  const to = quoteIdentifier(fresh);
  const [row] = await connection.query<{ owner: string; limit: number; hasPrivileges: boolean }>(
    'SELECT pg_get_userbyid(datdba)::text AS owner, datconnlimit AS limit, datacl IS NOT NULL AS "hasPrivileges" FROM pg_database WHERE datname = $1',
    [name],
  );
  if (row === undefined) throw new Error(`no database ${name}`);
  await connection.query(`ALTER DATABASE ${to} OWNER TO ${quoteIdentifier(row.owner)}`);
  await connection.query(`ALTER DATABASE ${to} CONNECTION LIMIT ${row.limit}`);
  if (row.hasPrivileges) await copyPrivileges(connection, name, to);
  const settings = await connection.query<{ role: string | null; name: string; value: string }>(
    `SELECT pg_get_userbyid(nullif(s.setrole, 0))::text AS role, split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
     FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c WHERE d.datname = $1`,
    [name],
  );
  for (const { role, name: setting, value } of settings) {
    const whose = role === null ? `DATABASE ${to}` : `ROLE ${quoteIdentifier(role)} IN DATABASE ${to}`;
    await copySetting(connection, `ALTER ${whose} SET ${quoteIdentifier(...setting.split("."))}`, setting, value);
  }
}

/** Their values are lists of names with quotes of their own (src/bin/pg_dump/dumputils.c, variable_is_guc_list_quote). */
const LISTS_OF_NAMES = ["local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces"];

/** Without making it count for our own session, which has work to do. */
async function copySetting(connection: SqlConnection, alter: string, setting: string, value: string): Promise<void> {
  if (!LISTS_OF_NAMES.includes(setting.toLowerCase())) {
    await connection.query(`${alter} TO ${quoteLiteral(value)}`);
    return;
  }
  // By way of the session, which takes the value as it is stored.
  await connection.query("BEGIN");
  await connection.query("SELECT set_config($1, $2, true)", [setting, value]);
  await connection.query(`${alter} FROM CURRENT`);
  await connection.query("COMMIT");
}

async function copyPrivileges(connection: SqlConnection, name: string, to: string): Promise<void> {
  const grants = await connection.query<{ role: string | null; privilege: string; grantable: boolean }>(
    "SELECT CASE grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(grantee)::text END AS role, privilege_type AS privilege, is_grantable AS grantable FROM pg_database, aclexplode(datacl) WHERE datname = $1",
    [name],
  );
  await connection.query(`REVOKE ALL ON DATABASE ${to} FROM PUBLIC`);
  for (const { role, privilege, grantable } of grants) {
    await connection.query(
      `GRANT ${privilege} ON DATABASE ${to} TO ${role === null ? "PUBLIC" : quoteIdentifier(role)}${grantable ? " WITH GRANT OPTION" : ""}`,
    );
  }
}
