import { findMajor, majorOfVersionNumber, SUPPORTED_VERSIONS } from "@soar/pg-tools/majors";
import type { SqlConnection } from "@soar/pg-tools/replication";
import type { Notes } from "./examination.ts";

interface Setting extends Readonly<Record<string, unknown>> {
  readonly name: string;
  readonly setting: string;
  readonly pending: boolean;
}

type Settings = ReadonlyMap<string, string>;

/**
 * Settings of a running server against what backups and restores need, each with the line to change and whether a reload
 * is enough. Reads through the server, because on Debian the configuration does not lie in the data directory.
 */
export async function examineServer(sql: SqlConnection, notes: Notes, signal: AbortSignal | undefined): Promise<void> {
  const rows = await sql.query<Setting>("SELECT name, setting, pending_restart AS pending FROM pg_settings", [], {
    signal,
  });
  const settings: Settings = new Map(rows.map(({ name, setting }) => [name, setting]));
  const major = majorOfVersionNumber(sql.serverVersion);
  if (findMajor(major) === undefined)
    notes.error(
      "server-version",
      `the server is PostgreSQL ${major}`,
      `Only ${SUPPORTED_VERSIONS} are supported: upgrade the server, or this program.`,
    );
  else notes.ok("server-version", `PostgreSQL ${settings.get("server_version") ?? major} at ${sql.location}`);
  examineWal(settings, notes);
  examineDurability(settings, notes);
  examineLeftoverTargets(settings, notes);
  const pending = rows.filter((row) => row.pending).map(({ name }) => name);
  if (pending.length > 0)
    notes.warning(
      "restart-pending",
      `changed in the configuration, but not in force: ${pending.join(", ")}`,
      "Restart the server to put them in force: systemctl restart postgresql.",
    );
  await examineConfigurationFiles(sql, notes, signal);
  await examineRecovery(sql, notes, signal);
  await examineSynchronous(sql, settings, { notes, signal });
}

function examineWal(settings: Settings, notes: Notes): void {
  const walLevel = settings.get("wal_level") ?? "";
  if (walLevel === "minimal")
    notes.error(
      "wal-level",
      "wal_level is minimal: the WAL is not enough for archiving",
      "Set wal_level = replica and restart the server.",
    );
  else notes.ok("wal-level", `wal_level is ${walLevel}`);
  const senders = Number(settings.get("max_wal_senders"));
  // One for a base backup, one for the tail, one for a standby or for a connection that is just being given up.
  if (senders === 0)
    notes.error(
      "wal-senders",
      "max_wal_senders is 0: no base backup can be taken",
      "Set max_wal_senders = 10 and restart the server.",
    );
  else if (senders < 3)
    notes.warning(
      "wal-senders",
      `max_wal_senders is ${senders}: a base backup and the tail need one each`,
      "Set max_wal_senders = 10 and restart the server.",
    );
  else notes.ok("wal-senders", `max_wal_senders is ${senders}`);
  if (settings.get("full_page_writes") === "off")
    notes.error(
      "full-page-writes",
      "full_page_writes is off: pages that were being written during a base backup may come back torn",
      "Set full_page_writes = on and reload: SELECT pg_reload_conf().",
    );
  else notes.ok("full-page-writes", "full_page_writes is on");
}

function examineDurability(settings: Settings, notes: Notes): void {
  if (settings.get("fsync") === "off")
    notes.error(
      "fsync",
      "fsync is off: a crash of the machine destroys the cluster",
      "Set fsync = on and reload: SELECT pg_reload_conf().",
    );
  if (settings.get("data_checksums") === "on") notes.ok("data-checksums", "data checksums are on");
  else
    notes.warning(
      "data-checksums",
      "data checksums are off: damage of data files goes into the backups unseen",
      "Stop the server cleanly, run pg_checksums --enable on its data directory, and start it; this reads and writes all of it once.",
    );
  if (settings.get("archive_timeout") === "0")
    notes.notice(
      "archive-timeout",
      "archive_timeout is 0: without the resident archiver's tail, a quiet server's last segment stays on this machine for long",
      "Run soar-wal-archive daemon, or set archive_timeout = 300 and reload.",
    );
}

function examineLeftoverTargets(settings: Settings, notes: Notes): void {
  const targets = [
    "recovery_target",
    "recovery_target_time",
    "recovery_target_lsn",
    "recovery_target_xid",
    "recovery_target_name",
  ].filter((name) => (settings.get(name) ?? "") !== "");
  if (targets.length > 0)
    notes.warning(
      "recovery-target-left",
      `left from an earlier recovery: ${targets.join(", ")}; the next recovery would stop there`,
      `Remove them: ${targets.map((name) => `ALTER SYSTEM RESET ${name};`).join(" ")} and reload.`,
    );
}

/** Needs no restart to be seen: a line that the server would refuse at its next start is told here. */
async function examineConfigurationFiles(
  sql: SqlConnection,
  notes: Notes,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [right] = await sql.query<{ may: boolean }>(
    "SELECT has_table_privilege('pg_catalog.pg_file_settings', 'SELECT') AND has_function_privilege('pg_show_all_file_settings()', 'EXECUTE') AS may",
    [],
    { signal },
  );
  if (right?.may !== true)
    return notes.notice(
      "configuration-unseen",
      "this user may not look into the configuration files",
      "Run the doctor as a superuser to have them checked: --username postgres.",
    );
  const wrong = await sql.query<{ file: string; line: number; name: string; error: string }>(
    "SELECT sourcefile AS file, sourceline AS line, name, error FROM pg_file_settings WHERE error IS NOT NULL AND error <> 'setting could not be applied'",
    [],
    { signal },
  );
  for (const { file, line, name, error } of wrong) {
    const advice =
      name === "log_archive_command"
        ? "PostgreSQL has no such setting and will not start with it. Remove the line; BACKUP_LOG_ARCHIVE=on in the env file logs every archived segment."
        : "Correct or remove the line: the server will not start again with it.";
    notes.error("configuration-invalid", `${file}:${line}: ${name}: ${error}`, advice);
  }
  if (wrong.length === 0) notes.ok("configuration-valid", "the configuration files have no errors");
}

async function examineRecovery(sql: SqlConnection, notes: Notes, signal: AbortSignal | undefined): Promise<void> {
  const [state] = await sql.query<{ recovering: boolean; lsn: string | null; at: string | null }>(
    "SELECT pg_is_in_recovery() AS recovering, pg_last_wal_replay_lsn()::text AS lsn, pg_last_xact_replay_timestamp()::text AS at",
    [],
    { signal },
  );
  if (state?.recovering !== true) return;
  notes.notice(
    "in-recovery",
    `the server is in recovery, replayed to ${state.lsn ?? "nothing yet"}${state.at === null ? "" : ` (commit of ${state.at})`}`,
    "A standby is always. After a restore wait until it ends, applications cannot write before: soar-restore status shows how far it is.",
  );
}

/** The one setting that lets every commit wait for somebody else. */
async function examineSynchronous(
  sql: SqlConnection,
  settings: Settings,
  { notes, signal }: { readonly notes: Notes; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const names = settings.get("synchronous_standby_names") ?? "";
  if (names === "") return;
  const rows = await sql.query("SELECT 1 FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')", [], {
    signal,
  });
  if (rows.length > 0)
    return notes.ok("synchronous", `synchronous_standby_names is '${names}', and ${rows.length} of them are connected`);
  notes.error(
    "synchronous",
    `synchronous_standby_names is '${names}', and none of them is connected: every commit waits`,
    "Start it (for 'soar': soar-wal-archive daemon --synchronous), or fall back at once: ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf().",
  );
}
