import { readArchiverState, type ArchiverState, type SqlConnection } from "@soar/pg-tools/replication";
import type { Notes } from "./examination.ts";

interface ArchiverRow extends Readonly<Record<string, unknown>> {
  readonly mode: string;
  readonly command: string;
  readonly library: string;
  readonly recovering: boolean;
  readonly max_wal_bytes: string;
}

/** Longer than a healthy archiver needs for a segment, with retries. */
const OLD_READY_SECONDS = 300;
/** The specification's threshold for the queue. */
const LONG_QUEUE = 20;

/** Whether finished WAL leaves the server: what it says itself, and what it cannot know (safety, trap 1). */
export async function examineArchiving(
  sql: SqlConnection,
  notes: Notes,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [row] = await sql.query<ArchiverRow>(
    `SELECT current_setting('archive_mode') AS mode, current_setting('archive_command') AS command, current_setting('archive_library') AS library,
       pg_size_bytes(current_setting('max_wal_size'))::text AS max_wal_bytes, pg_is_in_recovery() AS recovering`,
    [],
    { signal },
  );
  if (row === undefined) return;
  examineCommand(row, notes);
  const queue = await readQueue(sql, signal);
  if (queue === undefined)
    notes.notice(
      "queue-unseen",
      "this user may not see what waits for archiving",
      "Run the doctor as a superuser or a member of pg_monitor.",
    );
  if (row.mode !== "off") examineProgress(await readArchiverState(sql, signal), queue, notes);
  await examineSlots(sql, Number(row.max_wal_bytes), { notes, signal });
}

function examineMode({ mode, recovering }: ArchiverRow, notes: Notes): void {
  if (mode === "off")
    return notes.error(
      "archive-mode",
      "archive_mode is off: nothing is archived",
      "Set archive_mode = on and archive_command = 'soar-wal-archive %p %f', and restart the server.",
    );
  if (mode !== "always") return notes.ok("archive-mode", `archive_mode is ${mode}`);
  notes.notice(
    "archive-mode-always",
    recovering
      ? "archive_mode is always: this standby archives what its primary archives too, so that every segment is sent twice and compared"
      : "archive_mode is always: here that is the same as on, but every standby made from this server archives too, with the same archive_command",
    "Set archive_mode = on and restart, unless the two archive to different places, or the primary does not archive: a standby archives from its promotion on.",
  );
}

function examineCommand(row: ArchiverRow, notes: Notes): void {
  examineMode(row, notes);
  const { mode, command, library } = row;
  if (mode === "off") return;
  const words = command.trim();
  if (library !== "")
    return notes.error(
      "archive-library",
      `archive_library is '${library}': archive_command is not used`,
      "Set archive_library = '' and archive_command = 'soar-wal-archive %p %f', and reload.",
    );
  if (words === "")
    return notes.error(
      "archive-command",
      "archive_command is empty: WAL stays on the server's disk until it is full",
      "Set archive_command = 'soar-wal-archive %p %f' and reload.",
    );
  if (/^(?:\/usr)?(?:\/bin\/)?true\b|^:$|^exit 0$/.test(words)) {
    return notes.error(
      "archive-command-pretends",
      `archive_command is '${words}': every segment counts as archived and is lost`,
      "Set archive_command = 'soar-wal-archive %p %f', reload, and take a base backup at once: soar-base-backup. Nothing can be restored across this gap.",
    );
  }
  if (!words.includes("%p") || !words.includes("%f"))
    return notes.error(
      "archive-command",
      `archive_command is '${words}': it does not pass %p and %f`,
      "Set archive_command = 'soar-wal-archive %p %f' and reload.",
    );
  if (!/wal-archive/.test(words))
    return notes.warning(
      "archive-command",
      `archive_command is '${words}': this is another program`,
      "Set archive_command = 'soar-wal-archive %p %f' and reload, unless that program calls it.",
    );
  notes.ok("archive-command", `archive_command is '${words}'`);
}

interface Queue {
  readonly count: number;
  readonly oldestSeconds: number;
}

async function readQueue(sql: SqlConnection, signal: AbortSignal | undefined): Promise<Queue | undefined> {
  const [right] = await sql.query<{ may: boolean }>(
    "SELECT has_function_privilege('pg_ls_archive_statusdir()', 'EXECUTE') AS may",
    [],
    { signal },
  );
  if (right?.may !== true) return undefined;
  const [row] = await sql.query<{ count: number; age: number }>(
    "SELECT count(*)::int AS count, coalesce(extract(epoch FROM clock_timestamp() - min(modification)), 0)::float8 AS age FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'",
    [],
    { signal },
  );
  return { count: row?.count ?? 0, oldestSeconds: row?.age ?? 0 };
}

function examineProgress(
  { failing, lastFailed: failed, lastArchived: archived }: ArchiverState,
  queue: Queue | undefined,
  notes: Notes,
): void {
  const waiting = queue === undefined ? "" : `; ${queue.count} files wait`;
  if (failing)
    return notes.error(
      "archiving-failing",
      `archiving fails: '${failed}' is tried again and again${waiting}`,
      `Run the command by hand as the server's user, it says why: soar-wal-archive pg_wal/${failed} ${failed}. Never remove files from pg_wal.`,
    );
  if (queue !== undefined && queue.oldestSeconds > OLD_READY_SECONDS) {
    return notes.error(
      "archiving-stuck",
      `nothing fails, but the oldest of ${queue.count} files waits for ${Math.round(queue.oldestSeconds / 60)} minutes`,
      "The command hangs, or ends by a signal or with a status above 125, which PostgreSQL does not count. Look for archive_command in the server's log and for its process.",
    );
  }
  if (queue !== undefined && queue.count > LONG_QUEUE)
    return notes.warning(
      "archiving-behind",
      `${queue.count} files wait to be archived`,
      "Run the resident archiver (soar-wal-archive daemon), or give it more jobs; soar-wal-archive status shows its rate.",
    );
  if (archived === undefined)
    return notes.notice(
      "archiving-unproved",
      "no segment was archived since the statistics were reset",
      "The round trip below proves it.",
    );
  notes.ok("archiving-works", `the last archived file is '${archived}'${waiting}`);
}

/** A slot that nobody reads holds WAL until the disk is full. */
async function examineSlots(
  sql: SqlConnection,
  maxWalBytes: number,
  { notes, signal }: { readonly notes: Notes; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const slots = await sql.query<{ name: string; active: boolean; held: string | null }>(
    `SELECT slot_name AS name, active, (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - restart_lsn)::text AS held
     FROM pg_replication_slots`,
    [],
    { signal },
  );
  for (const { name, active, held } of slots) {
    if (active || Number(held ?? 0) <= maxWalBytes) continue;
    notes.warning(
      "slot-holds-wal",
      `the replication slot '${name}' is not used and holds ${Math.round(Number(held) / 1024 ** 2)} MiB of WAL`,
      `Start what reads it, or drop it: SELECT pg_drop_replication_slot('${name}').`,
    );
  }
}
