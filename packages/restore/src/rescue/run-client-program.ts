import { basename } from "node:path";
import { isSoarError, SoarError } from "@soar/errors";
import { connectSql, findServerUser, libpqEnvironment, type ConnectionConfig } from "@soar/pg-tools/replication";
import { complaintsOf, programFailed, runProgram } from "@soar/programs";

export interface ClientProgramOptions {
  /** The server that it logs in to, and as whom. */
  readonly server: ConnectionConfig;
  /** File of the certificates to check it with. */
  readonly certificateFile?: string | undefined;
  /** What it speaks; see `inEncoding`. */
  readonly text: ProgramText;
  readonly signal: AbortSignal;
  /** What to do when it fails. */
  readonly hint: string;
  /** What to do when it fails because a file system is full. */
  readonly hintWhenFull: string;
}

/**
 * Runs a program of PostgreSQL to its end, as root as the user of the server that it logs in to: that server may let in nobody
 * else, and what the program writes belongs to that user. Rejects with `PROGRAM_FAILED` and its first words of complaint,
 * `DISK_FULL` or `ABORTED`.
 */
export async function runClientProgram(
  path: string,
  args: readonly string[],
  { server, certificateFile, text, hint, hintWhenFull, signal }: ClientProgramOptions,
): Promise<void> {
  const spoken = await inEncoding(server, text, { signal });
  const result = await runProgram(path, args, {
    env: await connectionEnvironment(spoken, certificateFile),
    owner: await findServerUser({ ...server, isOwnServer: false }),
    signal,
  });
  if (result.status === 0) return;
  const failure = programFailed(basename(path), result, hint);
  if (!complaintsOf(result).some(saysDiskFull)) throw failure;
  throw new SoarError("DISK_FULL", failure.message, { hint: hintWhenFull });
}

/** Whether PostgreSQL complains in these words that a file system is full: neither its programs nor a scratch server have a language set. */
export function saysDiskFull(text: string): boolean {
  return text.includes("No space left on device") || text.includes("Disk quota exceeded");
}

/** Of everything that a rescue keeps in its scratch directory. */
export const SCRATCH_FULL =
  "Free space, or name a directory on a larger file system with --temp-dir or BACKUP_TEMP_DIR. Nothing was left behind.";
export const TARGET_FULL = "The running server has no room for it: free space there. Nothing was left behind.";

/** The environment with which a program of PostgreSQL logs in as this server's configuration says. */
export async function connectionEnvironment(
  server: ConnectionConfig,
  certificateFile?: string,
): Promise<Record<string, string>> {
  const files = certificateFile === undefined ? {} : { PGSSLROOTCERT: certificateFile };
  return await libpqEnvironment({ database: "postgres", applicationName: "soar-restore", ...server }, files);
}

/**
 * `database`: what the database is written in, so that nothing is converted. `unicode`: what we have its words in. `bytes`: of
 * one that says itself what it speaks, as `pg_restore` does for each dump; every database lets in who wants no conversion.
 */
export type ProgramText = "database" | "unicode" | "bytes";

/**
 * The same server for a program whose encoding is not what was set for the role, the database or the server: what these hold
 * may not exist in that, and what the program is told would be read as something else.
 */
export async function inEncoding(
  server: ConnectionConfig,
  text: ProgramText,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ConnectionConfig> {
  if (text === "bytes") return { ...server, clientEncoding: "SQL_ASCII" };
  try {
    await using connection = await connectSql(server, options);
    return { ...server, clientEncoding: text === "unicode" ? connection.unicodeEncoding : connection.encoding };
  } catch (error) {
    if (!isSoarError(error) || error.code === "ABORTED") throw error;
    // The program will not get in either, and says why.
    return server;
  }
}

/** `--dbname` for a name of any characters: libpq takes one with an equals sign for a connection string. */
export function databaseArgument(name: string): string {
  return `--dbname=dbname='${name.replaceAll(/['\\]/g, "\\$&")}'`;
}
