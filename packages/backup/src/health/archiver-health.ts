import { setTimeout as delay } from "node:timers/promises";
import { isSoarError, SoarError } from "@soar/errors";
import type { ServerFacts, SqlConnection } from "@soar/pg-tools";

export interface PatienceOptions {
  /** Milliseconds for which a failing archiver may recover. */
  readonly patienceMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ArchiverState {
  /** As text: it counts for the life of the server. */
  readonly archived_count: string;
  readonly last_archived_wal: string | null;
  readonly last_failed_wal: string | null;
  readonly failing: boolean;
}

/**
 * A backup is worth nothing without the WAL that makes it consistent, so an archiver that is off or failing is told
 * before hours of copying, not after. Rejects with `SERVER_UNSUITABLE` or, for one that keeps failing, `WAL_TIMEOUT`.
 */
export async function requireArchiving(
  sql: SqlConnection,
  facts: ServerFacts,
  options: PatienceOptions,
): Promise<void> {
  if (facts.archiveMode !== "on" && facts.archiveMode !== "always") {
    throw new SoarError(
      "SERVER_UNSUITABLE",
      `unable to back up this server: archive_mode is ${facts.archiveMode}, so the WAL that the backup needs would never reach the bucket`,
      {
        hint: "Set archive_mode = on and archive_command = '/usr/local/bin/soar-wal-archive %p %f' in postgresql.conf, and restart the server.",
      },
    );
  }
  if (facts.archiveCommand === "" && (facts.settings["archive_library"] ?? "") === "") {
    throw new SoarError("SERVER_UNSUITABLE", "unable to back up this server: archive_command is empty", {
      hint: "ALTER SYSTEM SET archive_command = '/usr/local/bin/soar-wal-archive %p %f'; SELECT pg_reload_conf();",
    });
  }
  const giveUpAt = performance.now() + options.patienceMs;
  for (;;) {
    const state = await readArchiver(sql, options.signal);
    if (!state.failing) return;
    if (performance.now() > giveUpAt) throw stuck(state);
    await delay(Math.min(1000, options.patienceMs), undefined, { signal: options.signal });
  }
}

/** One clause for a message about WAL that does not arrive. */
export async function describeArchiver(sql: SqlConnection): Promise<string> {
  try {
    return describeState(await readArchiver(sql, undefined));
  } catch (error) {
    if (!isSoarError(error)) throw error;
    // What is reported is the WAL that did not arrive; that the server is gone as well explains it.
    return `the server cannot be asked why: ${error.message}`;
  }
}

function describeState({ last_archived_wal: archived, last_failed_wal: failed, failing }: ArchiverState): string {
  if (failing) return `the server's archive command fails for '${failed}'`;
  return archived === null
    ? "the server has archived nothing yet"
    : `the last segment that the server archived is '${archived}'`;
}

/** The archiver repeats a failing segment until it succeeds: a failure that is newer than the last success is going on. */
export async function readArchiver(sql: SqlConnection, signal: AbortSignal | undefined): Promise<ArchiverState> {
  const [state] = await sql.query<ArchiverState & Record<string, unknown>>(
    "SELECT archived_count::text, last_archived_wal, last_failed_wal, coalesce(last_failed_time > last_archived_time, last_failed_time IS NOT NULL) AS failing FROM pg_stat_archiver",
    [],
    { signal },
  );
  if (state === undefined) throw new SoarError("SERVER_FAILED", "unable to read pg_stat_archiver: it has no row");
  return state;
}

function stuck({ last_failed_wal: failed }: ArchiverState): SoarError {
  return new SoarError(
    "WAL_TIMEOUT",
    `unable to back up this server: its archive command keeps failing for '${failed}'`,
    {
      hint: "Look for 'archive command failed' in the server's log and repair archiving first. Nothing was stored.",
    },
  );
}
