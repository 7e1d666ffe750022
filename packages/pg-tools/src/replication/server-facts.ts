import { SoarError } from "@soar/errors";
import { ACCESS_FILE_SETTINGS } from "../majors/find-major.ts";
import type { SqlConnection } from "./sql-connection.ts";

export interface ServerDatabase {
  readonly oid: number;
  readonly name: string;
  readonly allowsConnections: boolean;
  readonly isTemplate: boolean;
  /** For example `UTF8`. */
  readonly encoding: string;
  /** Locales of the system's library, without which the database cannot be entered, whatever sorts its texts. */
  readonly collate: string;
  readonly ctype: string;
  /** Undefined where the role may not ask. */
  readonly sizeBytes: number | undefined;
}

export interface ServerTablespace {
  readonly oid: number;
  readonly name: string;
  /** Directory on the server. */
  readonly location: string;
}

/** A logical subscription: a restored server that has it would take from the same slot at the publisher. */
export interface ServerSubscription {
  readonly database: string;
  readonly name: string;
  readonly isEnabled: boolean;
}

/** What a backup records of a running server, so that a restore need not ask it. */
export interface ServerFacts {
  /** For example 150020. */
  readonly versionNumber: number;
  /** For example `15.20 (Debian 15.20-1)`. */
  readonly version: string;
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly inRecovery: boolean;
  /** Paths are undefined for a role that is not a member of pg_read_all_settings. */
  readonly dataDirectory: string | undefined;
  readonly configFile: string | undefined;
  /** The files of access rules by the name of their setting: those of `ACCESS_FILE_SETTINGS` that the server has and tells. */
  readonly accessFiles: Readonly<Record<string, string>>;
  readonly walSegmentSize: number;
  readonly dataChecksums: boolean;
  readonly fullPageWrites: boolean;
  readonly archiveMode: string;
  /** `(disabled)` while archive_mode is off: the server hides it then. */
  readonly archiveCommand: string;
  /** `max_connections` and the others that must not be lower during recovery, as numbers. */
  readonly recoveryParameters: Readonly<Record<RecoveryParameter, number>>;
  /** Every further setting of `SETTINGS`, as text. */
  readonly settings: Readonly<Record<string, string>>;
  /** One that may log in, so that a restored server can be entered whatever the rights of the role that asks here; undefined when none may. */
  readonly superuser: string | undefined;
  readonly databases: readonly ServerDatabase[];
  readonly tablespaces: readonly ServerTablespace[];
  readonly subscriptions: readonly ServerSubscription[];
}

/** Recovery refuses to go on with less than the primary had (PostgreSQL documentation, "Hot Standby", administrator's overview). */
export const RECOVERY_PARAMETERS = [
  "max_connections",
  "max_worker_processes",
  "max_wal_senders",
  "max_prepared_transactions",
  "max_locks_per_transaction",
] as const;
export type RecoveryParameter = (typeof RECOVERY_PARAMETERS)[number];

const PATHS = ["data_directory", "config_file", ...ACCESS_FILE_SETTINGS, "archive_command"];
const SETTINGS = [
  "archive_library",
  "archive_timeout",
  "wal_level",
  "wal_log_hints",
  "server_encoding",
  "lc_collate",
  "lc_ctype",
  "lc_messages",
  "lc_monetary",
  "lc_numeric",
  "lc_time",
  "ssl",
  "ssl_ca_file",
  "ssl_cert_file",
  "ssl_crl_file",
  "ssl_dh_params_file",
  "ssl_key_file",
  "timezone",
  "block_size",
  "shared_preload_libraries",
  "dynamic_library_path",
  "huge_pages",
  "shared_buffers",
  "max_wal_size",
  "summarize_wal",
  "synchronous_standby_names",
  "track_commit_timestamp",
] as const;

/** A type alias, because rows are records. */
type Identity = {
  readonly id: string;
  readonly timeline: number;
  readonly recovering: boolean;
  readonly version: string;
  readonly superuser: string | null;
};

const IDENTITY = `SELECT system_identifier::text AS id, timeline_id AS timeline, pg_is_in_recovery() AS recovering,
  current_setting('server_version') AS version, (SELECT rolname FROM pg_roles WHERE rolsuper AND rolcanlogin ORDER BY oid LIMIT 1) AS superuser
  FROM pg_control_system(), pg_control_checkpoint()`;

/** Reads the facts with plain SQL that needs no more than the right to connect; what is hidden from the role is undefined. */
export async function readServerFacts(
  connection: SqlConnection,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ServerFacts> {
  const settings = await readSettings(connection, options);
  const setting = (name: string): string => requireFact(connection, name, settings.get(name));
  const [found] = await connection.query<Identity>(IDENTITY, [], options);
  const row = requireFact(connection, "its control file", found);
  const parameters = RECOVERY_PARAMETERS.map((name) => [name, Number(setting(name))] as const);
  return {
    versionNumber: connection.serverVersion,
    version: row.version,
    systemIdentifier: row.id,
    timeline: row.timeline,
    inRecovery: row.recovering,
    dataDirectory: settings.get("data_directory"),
    configFile: settings.get("config_file"),
    accessFiles: pick(settings, ACCESS_FILE_SETTINGS),
    walSegmentSize: Number(setting("wal_segment_size")),
    dataChecksums: setting("data_checksums") === "on",
    fullPageWrites: setting("full_page_writes") === "on",
    archiveMode: setting("archive_mode"),
    archiveCommand: setting("archive_command"),
    recoveryParameters: Object.fromEntries(parameters) as Record<RecoveryParameter, number>,
    settings: pick(settings, SETTINGS),
    superuser: row.superuser ?? undefined,
    databases: await readDatabases(connection, options),
    tablespaces: await readTablespaces(connection, options),
    subscriptions: await readSubscriptions(connection, options),
  };
}

/** A server of a supported version tells these to everybody; a zero in their place would pass for a fact. */
function requireFact<T>({ location }: SqlConnection, what: string, value: T | undefined): T {
  if (value !== undefined) return value;
  throw new SoarError("SERVER_FAILED", `unable to read the facts of '${location}': it says nothing of ${what}`, {
    hint: "Connect to the server itself: what answers here is not one, or hides its settings.",
  });
}

function pick(settings: ReadonlyMap<string, string>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = settings.get(name);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

/** In base units, without a unit: `wal_segment_size` in bytes. Settings that this version or this role does not have are left out. */
async function readSettings(
  connection: SqlConnection,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<Map<string, string>> {
  const names = [
    ...PATHS,
    ...SETTINGS,
    ...RECOVERY_PARAMETERS,
    "wal_segment_size",
    "data_checksums",
    "full_page_writes",
    "archive_mode",
  ];
  const rows = await connection.query<{ name: string; setting: string }>(
    "SELECT name, setting FROM pg_settings WHERE name = ANY($1)",
    [names],
    options,
  );
  return new Map(rows.map(({ name, setting }) => [name, setting]));
}

async function readDatabases(
  connection: SqlConnection,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<ServerDatabase[]> {
  const rows = await connection.query<{
    oid: number;
    name: string;
    allows: boolean;
    template: boolean;
    encoding: string;
    collate: string;
    ctype: string;
    size: string | null;
  }>(
    `SELECT oid::int8::float8 AS oid, datname AS name, datallowconn AS allows, datistemplate AS template,
      pg_encoding_to_char(encoding) AS encoding, datcollate AS collate, datctype AS ctype,
      CASE WHEN has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'MEMBER') THEN pg_database_size(oid) END AS size
     FROM pg_database ORDER BY oid`,
    [],
    options,
  );
  return rows.map((row) => ({
    oid: row.oid,
    name: row.name,
    allowsConnections: row.allows,
    isTemplate: row.template,
    encoding: row.encoding,
    collate: row.collate,
    ctype: row.ctype,
    sizeBytes: row.size === null ? undefined : Number(row.size),
  }));
}

async function readTablespaces(
  connection: SqlConnection,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<ServerTablespace[]> {
  return await connection
    .query<{ oid: number; name: string; location: string }>(
      "SELECT oid::int8::float8 AS oid, spcname AS name, pg_tablespace_location(oid) AS location FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global') ORDER BY oid",
      [],
      options,
    )
    .then((rows) => rows.map(({ oid, name, location }) => ({ oid, name, location })));
}

/** Of all databases: every role may read these columns. */
export async function readSubscriptions(
  connection: SqlConnection,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ServerSubscription[]> {
  const rows = await connection.query<{ database: string; name: string; enabled: boolean }>(
    "SELECT datname AS database, subname AS name, subenabled AS enabled FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid ORDER BY 1, 2",
    [],
    options,
  );
  return rows.map(({ database, name, enabled: isEnabled }) => ({ database, name, isEnabled }));
}
