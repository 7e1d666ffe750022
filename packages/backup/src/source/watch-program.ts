import { setTimeout as delay } from "node:timers/promises";
import { asError, SoarError } from "@soar/errors";
import { connectSomewhere, type ConnectionConfig, type SqlConnection } from "@soar/pg-tools/replication";
import { describeArchiver } from "../server-archiver.ts";
import type { BackupRequest } from "./backup-source.ts";

export interface WatchProgramOptions {
  readonly request: BackupRequest;
  readonly walTimeoutMs: number;
  /** Ends the program. */
  readonly stop: () => void;
}

export interface ProgramWatch extends AsyncDisposable {
  /** The server's estimate of all bytes, once it sends. */
  total(): Promise<number | undefined>;
  /** Why the program was killed, or could not be watched any more. */
  failure(): Error | undefined;
}

interface Progress extends Record<string, unknown> {
  readonly phase: string;
  readonly total: number | null;
  readonly streamed: number;
}

const PAUSE_MS = 1000;

/**
 * Follows the program in the server's own view, in numbers and words that no language changes. With `-X none` the server
 * waits for its archive without a deadline; `BASE_BACKUP` of our own asks it not to. So the program is ended when
 * that lasts too long. One base backup runs at a time, by the lock; somebody else's are told apart by their name.
 */
export async function watchProgram(
  server: ConnectionConfig,
  { request, walTimeoutMs, stop }: WatchProgramOptions,
): Promise<ProgramWatch> {
  const { signal } = request;
  const sql = await connectSomewhere(server, { signal });
  const end = new AbortController();
  let failure: Error | undefined;
  const watched = follow(sql, { request, walTimeoutMs, signal: end.signal }).catch((error: unknown) => {
    if (end.signal.aborted) return;
    failure = asError(error);
    stop();
  });
  return {
    total: async () => (await readProgress(sql, request.label, signal))?.total ?? undefined,
    failure: () => failure,
    async [Symbol.asyncDispose]() {
      end.abort();
      await watched;
      await sql[Symbol.asyncDispose]();
    },
  };
}

interface FollowOptions extends Pick<WatchProgramOptions, "request" | "walTimeoutMs"> {
  readonly signal: AbortSignal;
}

/** Until it is ended from outside. Rejects with `WAL_TIMEOUT` or what the server fails with. */
async function follow(sql: SqlConnection, { request, walTimeoutMs, signal }: FollowOptions): Promise<void> {
  let waitingSince: number | undefined;
  for (;;) {
    const progress = await readProgress(sql, request.label, signal);
    if (progress !== undefined) request.onProgress(progress.streamed, progress.total ?? undefined);
    waitingSince =
      progress?.phase === "waiting for wal archiving to finish" ? (waitingSince ?? performance.now()) : undefined;
    if (waitingSince !== undefined && performance.now() - waitingSince > walTimeoutMs)
      throw await timedOut(sql, walTimeoutMs);
    await delay(Math.min(PAUSE_MS, walTimeoutMs), undefined, { signal });
  }
}

async function readProgress(
  sql: SqlConnection,
  applicationName: string,
  signal: AbortSignal | undefined,
): Promise<Progress | undefined> {
  const [row] = await sql.query<Progress>(
    `SELECT phase, backup_total::float8 AS total, backup_streamed::float8 AS streamed
     FROM pg_stat_progress_basebackup JOIN pg_stat_activity USING (pid) WHERE application_name = $1`,
    [applicationName],
    { signal },
  );
  return row;
}

async function timedOut(sql: SqlConnection, walTimeoutMs: number): Promise<SoarError> {
  return new SoarError(
    "WAL_TIMEOUT",
    `unable to complete the backup: the server waited ${Math.round(walTimeoutMs / 1000)} s for its last WAL segments to be archived; ${await describeArchiver(sql)}`,
    {
      hint: "Look for 'archive command failed' in the server's log, repair archiving, then take the backup again. Nothing that looks like a backup was left behind.",
    },
  );
}
