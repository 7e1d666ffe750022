import { isSoarError, SoarError } from "@soar/errors";
import { readClusterState } from "@soar/pg-tools/cluster";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import { connectSql, findSuperuser, readSubscriptions, type ConnectionConfig } from "@soar/pg-tools/replication";
import type { BackupRecord } from "@soar/repository";
import type { RestoredChecks } from "../status/restore-record.ts";
import { entrancesOf } from "./entrances.ts";

export interface CheckRestoredOptions {
  readonly dataDir: string;
  readonly privateDir: string;
  readonly backup: Pick<BackupRecord, "source" | "databases" | "postgresVersion">;
  /** A role of the source, where the record names no superuser. */
  readonly role: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Logs in to every database of the promoted server through its private socket, as a superuser of the source. What is found
 * about one database, or keeps it from being looked at, is told and ends nothing: recovery is over, and all others are
 * there. Rejects with `SERVER_FAILED` when the server is not what its log said, `SERVER_UNREACHABLE` when it is gone,
 * `ABORTED` on the signal.
 */
export async function checkRestored(options: CheckRestoredOptions): Promise<RestoredChecks> {
  const server = await entrance(options);
  if (typeof server === "string")
    return { ...NOTHING_SEEN, findings: [`nobody could look inside: ${server}; ${ANOTHER_SUPERUSER}`] };
  const { names, shut, subscriptions, prepared } = await readShared(server, options);
  const found: DatabaseFindings[] = [];
  // One after the other: the server may allow few connections.
  for (const database of names) found.push(await checkDatabase({ ...server, database }, options.signal));
  return {
    databases: found.filter(({ isEntered }) => isEntered).length,
    otherCollation: names.filter((_, at) => found[at]?.otherCollation === true),
    unloggedTables: found.reduce((sum, { unlogged }) => sum + unlogged, 0),
    subscriptions,
    findings: [
      ...found.flatMap(({ finding }, at) => (finding === undefined ? [] : [`database '${names[at]}' ${finding}`])),
      ...shut.map((name) => `database '${name}' takes no connections (ALLOW_CONNECTIONS false): nobody looked inside`),
      ...(prepared === 0
        ? []
        : [`${prepared} prepared transactions hold their locks until they are committed or rolled back`]),
    ],
  };
}

/** As whom and where the server is entered; or the reason why it cannot be. */
async function entrance({
  dataDir,
  privateDir,
  backup,
  role,
  signal,
}: CheckRestoredOptions): Promise<ConnectionConfig | string> {
  const { port = 5432 } = await readClusterState(dataDir);
  const postgresMajor = majorOfVersionNumber(backup.postgresVersion);
  const place = { host: privateDir, port, user: role, applicationName: "soar-restore", postgresMajor };
  return await attempt(() => findSuperuser(place, { ...entrancesOf(backup, role), signal }));
}

/** The server is somebody's, who decides on its roles. */
const ANOTHER_SUPERUSER =
  "where the superuser was renamed or lost the right to log in since the backup, PGUSER names another one";

const NOTHING_SEEN = { databases: 0, otherCollation: [], unloggedTables: 0, subscriptions: undefined } as const;

/** What all databases share. */
interface Shared extends Pick<RestoredChecks, "subscriptions"> {
  readonly names: readonly string[];
  /** Databases that let nobody in, but for template0, which never does. */
  readonly shut: readonly string[];
  /** Transactions. */
  readonly prepared: number;
}

async function readShared(
  server: ConnectionConfig,
  { dataDir, signal }: Pick<CheckRestoredOptions, "dataDir" | "signal">,
): Promise<Shared> {
  await using connection = await connectSql(server, { signal });
  const [state] = await connection.query<{ recovering: boolean }>("SELECT pg_is_in_recovery() AS recovering");
  if (state?.recovering !== false)
    throw new SoarError(
      "SERVER_FAILED",
      `the server of '${dataDir}' is still in recovery, although its log says that it has ended`,
      { hint: "Read the server's log in its directory soar-restore." },
    );
  const rows = await connection.query<{ name: string; allows: boolean }>(
    // A limit of -2 marks what an interrupted DROP DATABASE has left, which nobody can enter (since 15.4, commit c66a7d75e652).
    `SELECT datname AS name, datallowconn AS allows FROM pg_database
      WHERE datconnlimit <> -2 AND (datallowconn OR datname <> 'template0') ORDER BY datname`,
  );
  const namesOf = (allows: boolean): string[] => rows.filter((row) => row.allows === allows).map(({ name }) => name);
  const subscriptions = await readSubscriptions(connection);
  const [count] = await connection.query<{ prepared: number }>(
    "SELECT count(*)::int AS prepared FROM pg_prepared_xacts",
  );
  return {
    prepared: count?.prepared ?? 0,
    names: namesOf(true),
    shut: namesOf(false),
    subscriptions: subscriptions.filter(({ isEnabled }) => isEnabled).map(({ database, name }) => ({ database, name })),
  };
}

interface DatabaseFindings {
  readonly isEntered: boolean;
  readonly otherCollation: boolean;
  readonly unlogged: number;
  /** Follows the name of the database. */
  readonly finding: string | undefined;
}

const UNLOGGED = "SELECT count(*)::int AS unlogged FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'";
const OTHER_COLLATION = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = current_database()
    AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid))
  OR EXISTS (SELECT FROM pg_collation WHERE collversion IS DISTINCT FROM pg_collation_actual_version(oid)) AS other`;

/** Relations of which the catalogs know and the disk does not, for the first few by name. */
const WITHOUT_FILES = `SELECT count(*)::int AS missing, string_agg(name, ', ' ORDER BY name) FILTER (WHERE place <= 3) AS names
  FROM (SELECT oid::regclass::text AS name, row_number() OVER (ORDER BY oid::regclass::text) AS place FROM pg_class
    WHERE relpersistence <> 't' AND pg_relation_filepath(oid) IS NOT NULL
      AND (pg_stat_file(pg_relation_filepath(oid), true)).size IS NULL) AS found`;

async function checkDatabase(server: ConnectionConfig, signal: AbortSignal | undefined): Promise<DatabaseFindings> {
  let unlogged: number | undefined;
  let lost: { readonly missing: number; readonly names: string | null } | undefined;
  const other = await attempt(async () => {
    await using connection = await connectSql(server, { signal });
    unlogged = (await connection.query<{ unlogged: number }>(UNLOGGED))[0]?.unlogged ?? 0;
    lost = (await connection.query<{ missing: number; names: string | null }>(WITHOUT_FILES))[0];
    // Fails where this host does not know a collation at all.
    return (await connection.query<{ other: boolean }>(OTHER_COLLATION))[0]?.other === true;
  });
  const isEntered = unlogged !== undefined;
  const common = { isEntered, unlogged: unlogged ?? 0 };
  const lacks =
    lost === undefined || lost.missing === 0
      ? undefined
      : `lacks the files of ${lost.missing} relations: ${lost.names}${lost.missing > 3 ? ", ..." : ""}`;
  if (typeof other !== "string") return { ...common, otherCollation: other, finding: lacks };
  const fact = isEntered ? "has collations that cannot be compared with those of this host" : "cannot be entered";
  return {
    ...common,
    otherCollation: false,
    finding: `${lacks === undefined ? "" : `${lacks}; it `}${fact}: ${other}`,
  };
}

/** The result, or what the server said against it. */
async function attempt<T extends object | boolean>(work: () => Promise<T>): Promise<T | string> {
  try {
    return await work();
  } catch (error) {
    if (!isSoarError(error) || ["ABORTED", "SERVER_UNREACHABLE"].includes(error.code)) throw error;
    return error.message;
  }
}
