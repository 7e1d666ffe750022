import { setTimeout as delay } from "node:timers/promises";
import { SoarError } from "@soar/errors";
import {
  readArchiverState,
  type ArchiverState,
  type ServerFacts,
  type SqlConnection,
} from "@soar/pg-tools/replication";

export interface PatienceOptions {
  /** Milliseconds for which a failing archiver may recover. */
  readonly patienceMs: number;
  readonly signal?: AbortSignal | undefined;
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
    const state = await readArchiverState(sql, options.signal);
    if (!state.failing) return;
    if (performance.now() > giveUpAt) throw stuck(state);
    await delay(Math.min(1000, options.patienceMs), undefined, { signal: options.signal });
  }
}

function stuck({ lastFailed }: ArchiverState): SoarError {
  return new SoarError(
    "WAL_TIMEOUT",
    `unable to back up this server: its archive command keeps failing for '${lastFailed}'`,
    {
      hint: "Look for 'archive command failed' in the server's log and repair archiving first. Nothing was stored.",
    },
  );
}
