import { SoarError, type ErrorCode } from "@soar/errors";
import type { ProgramExit } from "./base-backup-program.ts";

export interface ExplainOptions {
  /** For messages. */
  readonly location: string;
  /** Whether everything, the manifest included, was written before it ended. */
  readonly isComplete: boolean;
  readonly signal: AbortSignal | undefined;
}

/** What the program says (LC_ALL=C) in cases in which an operator can do something else than read it. */
const MEANINGS: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [
    /no pg_hba\.conf entry for replication/,
    "SERVER_DENIED",
    'Add a line such as "host  replication  <user>  <address of this machine>/32  scram-sha-256" to pg_hba.conf and reload the server.',
  ],
  [
    /password|authentication failed/,
    "SERVER_DENIED",
    "Check the password of this role (PGPASSWORD or the password file).",
  ],
  [
    /permission denied to start WAL sender|must be superuser or replication role/,
    "SERVER_DENIED",
    "Give the role the right to replicate: ALTER ROLE ... REPLICATION.",
  ],
  [
    /incompatible server version/,
    "SERVER_VERSION",
    "Install the PostgreSQL programs of the server's major version, or set BACKUP_METHOD=replication.",
  ],
  [
    /single tablespace to stdout/,
    "SERVER_UNSUITABLE",
    "Set BACKUP_METHOD=replication (--method replication), which stores every tablespace.",
  ],
  [/max_wal_senders/, "SERVER_UNSUITABLE", "Raise max_wal_senders, or wait until a connection is free."],
];

/**
 * Why the program's archive cannot be used, in its own words, or undefined when it can. It ends with 1 behind a complete
 * archive when pages were damaged (safety, trap 56): that one is kept.
 */
export function explainExit(
  { status, lines }: ProgramExit,
  { location, isComplete, signal }: ExplainOptions,
): SoarError | undefined {
  if (signal?.aborted === true)
    return new SoarError("ABORTED", `unable to go on with the base backup of '${location}': stopped by the caller`, {
      cause: signal.reason,
    });
  if (status === 0 || (isComplete && status === 1 && lines.some((line) => line.includes("checksum error occurred"))))
    return undefined;
  // Progress and remarks are not the reason.
  const errors = lines.filter((line) => /error|fatal|failed|could not/i.test(line));
  const said = (errors.length === 0 ? lines : errors).join("; ").replaceAll("pg_basebackup: ", "");
  const [, code = "BACKUP_INCOMPLETE", hint = "Look into the server's log, then take the backup again."] =
    MEANINGS.find(([pattern]) => pattern.test(said)) ?? [];
  return new SoarError(
    code,
    `unable to finish the base backup of '${location}': pg_basebackup ${status === undefined ? "was killed" : `ended with ${status}`}${said === "" ? "" : `: ${said}`}`,
    { hint },
  );
}
