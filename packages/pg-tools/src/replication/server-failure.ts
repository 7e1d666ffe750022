import { meansAbsent } from "@soar/durable-files";
import { type ErrorCode, isSoarError, SoarError } from "@soar/errors";
import { OLDEST_MAJOR } from "../majors/find-major.ts";
import { serverLocation, type ConnectionConfig } from "./connection-config.ts";

/** The fields of an ErrorResponse or NoticeResponse that matter here (PostgreSQL documentation, "Error and Notice Message Fields"). */
export interface ServerMessage {
  /** `ERROR`, `FATAL`, `WARNING` and so on, never translated. */
  readonly severity: string;
  /** Five characters. */
  readonly sqlState: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  /** Name of the function in the server's source: tells apart what shares an SQLSTATE, in any language of the message. */
  readonly routine?: string | undefined;
}

/** Why a connection ended in the middle stands in no message that reaches the client. */
export const LOST_HINT =
  "The server's log says why: it was restarted, it crashed, or somebody ended the session; if it says nothing, look at the network between. Then run the command again.";

interface Meaning {
  readonly code: ErrorCode;
  readonly hint?: string;
  readonly retryable?: boolean;
}

/** SQLSTATEs that mean the same on any connection at any time. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  "28P01": { code: "SERVER_DENIED", hint: "Check the password of this role; it was refused by the server." },
  "28000": { code: "SERVER_DENIED", hint: "Check that the role exists and may log in; PGUSER names another one." },
  "42501": { code: "SERVER_DENIED", hint: "Grant the missing permission to this role, or use another one." },
  "3D000": { code: "CONFIG_INVALID", hint: "Name a database that exists on this server." },
  "53300": {
    code: "SERVER_UNSUITABLE",
    retryable: true,
    hint: "Raise max_connections or, for replication, max_wal_senders, or wait until a connection is free.",
  },
  "55000": { code: "SERVER_UNSUITABLE" },
  "53100": { code: "DISK_FULL", hint: "Free space on the server's disk." },
  "57P01": { code: "SERVER_FAILED", retryable: true, hint: LOST_HINT },
  "57P02": { code: "SERVER_FAILED", retryable: true, hint: LOST_HINT },
  "57P03": {
    code: "SERVER_UNREACHABLE",
    hint: "The server starts, stops or recovers; try again when it accepts connections.",
  },
};

/** An error of the server in answer to a command, for example `commandFailure("read the timeline history of", "soar@db:5432", message)`. */
export function commandFailure(action: string, failure: ServerMessage): SoarError {
  const meaning = MEANINGS[failure.sqlState] ?? { code: "SERVER_FAILED" };
  const hint = failure.hint ?? meaning.hint;
  return new SoarError(meaning.code, `unable to ${action}: ${factOf(failure)}`, {
    hint,
    retryable: meaning.retryable,
    cause: failureCause(failure),
  });
}

/** One line: the server's message, its detail, and the SQLSTATE to search for. */
export function factOf({ message, detail, sqlState }: ServerMessage): string {
  return `${message}${detail === undefined ? "" : ` (${detail})`} [${sqlState}]`;
}

function failureCause(failure: ServerMessage): Error {
  return Object.assign(new Error(failure.message), { sqlState: failure.sqlState });
}

/** Turns whatever ended an attempt to connect into the failure that an operator can act on. Unknown errors pass unchanged. */
export function connectFailure(
  error: unknown,
  config: ConnectionConfig,
  { replication }: { readonly replication: boolean },
): unknown {
  if (isSoarError(error) || !(error instanceof Error)) return error;
  const action = `connect to '${serverLocation(config)}'`;
  const failure = serverMessageOf(error);
  if (failure === undefined) return transportFailure(error, action, config);
  const meaning = connectMeaning(failure, config, replication) ??
    MEANINGS[failure.sqlState] ?? { code: "SERVER_FAILED" as const };
  return new SoarError(meaning.code, `unable to ${action}: ${factOf(failure)}`, {
    hint: meaning.hint ?? failure.hint,
    retryable: meaning.retryable,
    cause: error,
  });
}

function connectMeaning(
  failure: ServerMessage,
  { user, host }: ConnectionConfig,
  replication: boolean,
): Meaning | undefined {
  if (failure.sqlState === "28000" && failure.routine === "ClientAuthentication") {
    const from = host.startsWith("/") ? "local" : "host";
    const address = host.startsWith("/") ? "" : "  <address of this machine>/32";
    const line = `${from}  ${replication ? "replication" : "all"}  ${user}${address}  scram-sha-256`;
    return {
      code: "SERVER_DENIED",
      hint: `Add a line such as "${line}" to pg_hba.conf and reload the server with "SELECT pg_reload_conf()".`,
    };
  }
  if (failure.sqlState === "42501" && replication) {
    return { code: "SERVER_DENIED", hint: `Give the role the right to replicate: ALTER ROLE "${user}" REPLICATION.` };
  }
  // The settings that are sent at the start exist in every supported version.
  if (failure.sqlState === "42704")
    return { code: "SERVER_VERSION", hint: `PostgreSQL ${OLDEST_MAJOR} or newer is needed.` };
  return undefined;
}

/** What the server itself said that ended an attempt to connect; undefined when it was not the server. */
export function serverAnswerOf(error: unknown): ServerMessage | undefined {
  return isSoarError(error) ? serverMessageOf(error.cause) : undefined;
}

/** Of the server as a whole: shutting down, starting, full. */
const NOT_NOW = /^57P0\d$|^53(?!300)/;

/**
 * What of a login the server refused: another database may let the same role in, or another role be let into the same
 * database. Undefined for what another attempt does not change.
 */
export function refusedPart(error: unknown): "database" | "role" | undefined {
  const failure = serverAnswerOf(error);
  if (failure === undefined) return undefined;
  const { sqlState, routine } = failure;
  if (sqlState === "28P01" || NOT_NOW.test(sqlState)) return undefined;
  // By pg_hba.conf, whose lines may name databases; any other reason lies in the role.
  if (sqlState === "28000") return routine === "ClientAuthentication" ? "database" : "role";
  // Too many for this database, or for this role, or for the server.
  if (sqlState === "53300")
    return routine === "CheckMyDatabase" ? "database" : routine === "InitializeSessionUserId" ? "role" : undefined;
  return "database";
}

/** Errors of Node and of pg itself, which have no SQLSTATE. */
function transportFailure(error: Error, action: string, config: ConnectionConfig): unknown {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (/^E[A-Z]+$/.test(code)) {
    const hint = meansAbsent(error)
      ? `Check that the server runs and that its unix socket is in '${config.host}'.`
      : "Check host, port and listen_addresses, and that the server runs.";
    return new SoarError("SERVER_UNREACHABLE", `unable to ${action}: ${error.message || code}`, { hint, cause: error });
  }
  if (/certificate|CERT_|SSL|TLS/i.test(`${code} ${error.message}`)) {
    return new SoarError("SERVER_DENIED", `unable to ${action}: ${error.message}`, {
      hint: "Check the TLS mode and the certificates of both sides.",
      cause: error,
    });
  }
  if (/^SASL|password/i.test(error.message)) {
    return new SoarError("SERVER_DENIED", `unable to ${action}: ${error.message}`, {
      hint: "Check the password of this role and the method in pg_hba.conf.",
      cause: error,
    });
  }
  if (/timeout expired|terminated/i.test(error.message)) {
    return new SoarError("SERVER_UNREACHABLE", `unable to ${action}: ${error.message}`, {
      hint: "Check host and port, and that nothing in between drops the connection.",
      cause: error,
    });
  }
  return error;
}

/** pg's DatabaseError has the same fields under other names; recognised by its SQLSTATE, not by its class. */
export function serverMessageOf(error: unknown): ServerMessage | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("severity" in error)) return undefined;
  const { code, severity } = error;
  if (typeof code !== "string" || !/^[0-9A-Z]{5}$/.test(code)) return undefined;
  const field = (name: string): string | undefined => {
    const value: unknown = name in error ? (error as Error & Record<string, unknown>)[name] : undefined;
    return typeof value === "string" ? value : undefined;
  };
  return {
    severity: String(severity),
    sqlState: code,
    message: error.message,
    detail: field("detail"),
    hint: field("hint"),
    routine: field("routine"),
  };
}
