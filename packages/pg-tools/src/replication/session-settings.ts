import { findMajor } from "../majors/find-major.ts";
import type { ConnectionConfig } from "./connection-config.ts";

/** What a session may do and how its text is meant. */
export interface SessionOptions {
  /** Reads only, unless said otherwise: whatever a statement does, nothing of the cluster is changed. */
  readonly writes?: boolean | undefined;
  /**
   * `bytes`, unless said otherwise: text comes as the server has it, which is the one way to read names of databases and roles,
   * whatever encoding they were written in. `unicode`: converted from and to the encoding of the database, for names of
   * tables that somebody types.
   */
  readonly text?: "bytes" | "unicode" | undefined;
}

/** No conversion, so that none can fail (PostgreSQL documentation, "Automatic Character Set Conversion"). */
export const NO_CONVERSION = "SQL_ASCII";

/** Limits are meant for applications; a backup may wait for a checkpoint much longer. */
const NO_LIMITS = {
  statement_timeout: "0",
  lock_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
};

/** What every session of ours and of PostgreSQL's programs needs. All of it may be set by any role, in every supported version. */
const NEEDED = {
  ...NO_LIMITS,
  // Serializable transactions are refused on a standby.
  default_transaction_isolation: "read committed",
  default_transaction_deferrable: "off",
  // For the transaction of the login itself, in which an event trigger may write; who reads only says so afterwards.
  default_transaction_read_only: "off",
  // An error that is expected must not end the session.
  exit_on_error: "off",
  // Of libraries and tablespaces that a restored server may not have.
  local_preload_libraries: "",
  temp_tablespaces: "",
};

/** How we read answers and are understood. */
const UNDERSTOOD = {
  // Nobody's objects are taken for those of the system.
  search_path: "pg_catalog",
  DateStyle: "ISO",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  bytea_output: "hex",
  extra_float_digits: "1",
  standard_conforming_strings: "on",
  quote_all_identifiers: "off",
};

/** A superuser's session on a server that we started: libraries that the source loads into sessions may not be on this host. */
const ON_OWN_SERVER = {
  session_preload_libraries: "",
  role: "none",
  // Damage is to be found, not passed over.
  zero_damaged_pages: "off",
  ignore_checksum_failure: "off",
};
/** What the server was started with counts less than what was set for a role or a database. */
const WITHOUT_EVENT_TRIGGERS = { event_triggers: "off" };

type KnownServer = Pick<ConnectionConfig, "isOwnServer" | "postgresMajor">;

/** For our own sessions, which are opened in this way only. */
export function sessionSettings(server: KnownServer): Readonly<Record<string, string>> {
  return { ...programSettings(server), ...UNDERSTOOD };
}

/** For programs of PostgreSQL, which know how to read answers: `PGOPTIONS`. */
export function programSettings({ isOwnServer, postgresMajor }: KnownServer): Readonly<Record<string, string>> {
  if (isOwnServer !== true) return NEEDED;
  // A server does not let in who sets what its version does not know.
  const hasSwitch = postgresMajor !== undefined && findMajor(postgresMajor)?.features.loginEventTriggers === true;
  return { ...NEEDED, ...ON_OWN_SERVER, ...(hasSwitch ? WITHOUT_EVENT_TRIGGERS : {}) };
}

/** The first version with `transaction_timeout`. */
const TRANSACTION_TIMEOUT_SINCE = 170_000;
/** Encodings that cannot be converted to UTF-8 (PostgreSQL documentation, "Available Character Set Conversions"). */
const WITHOUT_UNICODE = ["SQL_ASCII", "MULE_INTERNAL"];

/** In which a program speaks that gives and takes UTF-8; that of the database itself where it has no other form. */
export function unicodeEncoding(serverEncoding: string): string {
  return WITHOUT_UNICODE.includes(serverEncoding) ? serverEncoding : "UTF8";
}

/** What can be said only when the server has said who it is. */
export function settingsAfterLogin(
  { serverVersion, serverEncoding }: { readonly serverVersion: number; readonly serverEncoding: string },
  { writes = false, text = "bytes" }: SessionOptions,
): string {
  return [
    ...(serverVersion >= TRANSACTION_TIMEOUT_SINCE ? ["SET transaction_timeout = 0"] : []),
    ...(text === "unicode" && unicodeEncoding(serverEncoding) === "UTF8" ? ["SET client_encoding = 'UTF8'"] : []),
    ...(writes ? [] : ["SET default_transaction_read_only = on"]),
  ].join("; ");
}
