import { isSoarError, SoarError } from "@soar/errors";
import { readClusterState } from "@soar/pg-tools/cluster";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import { connectSql, findSuperuser } from "@soar/pg-tools/replication";
import type { BackupRecord } from "@soar/repository";
import { entrancesOf } from "./entrances.ts";

/** A server that waits at the target until somebody lets it go on: it takes no writes meanwhile. */
export interface PausedServer {
  /** When this machine first saw it pause there. */
  readonly since: string;
  /** Where it is entered. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly user: string | undefined;
  /** What it said itself, by `pg_is_in_recovery()` and `pg_get_wal_replay_pause_state()`; undefined where nobody could ask. */
  readonly isInRecovery: boolean | undefined;
  readonly pauseState: string | undefined;
  /** Why nobody could ask. */
  readonly unasked: string | undefined;
}

/** How a server is entered that runs in a data directory. */
export interface AskOptions {
  readonly dataDir: string;
  readonly backup: Pick<BackupRecord, "source" | "databases" | "postgresVersion">;
  /** A role of the source, where the record names no superuser. */
  readonly role: string;
  readonly signal?: AbortSignal | undefined;
}

/** Asks a server that was seen to pause what it does. That it cannot be asked ends nothing: it has done what it was told. Rejects with `ABORTED` on the signal. */
export async function lookAtPaused(options: AskOptions & { readonly since: string }): Promise<PausedServer> {
  const { port, socketDir: host } = await readClusterState(options.dataDir);
  const place = { since: options.since, host, port, user: undefined, isInRecovery: undefined, pauseState: undefined };
  try {
    const { user, answer } = await askReplay(options);
    return {
      ...place,
      user,
      isInRecovery: answer?.recovering,
      pauseState: answer?.state ?? undefined,
      unasked: undefined,
    };
  } catch (error) {
    if (isSoarError(error) && error.code !== "ABORTED") return { ...place, unasked: error.message };
    throw error;
  }
}

/** What a server says of its replay. */
export interface ReplayAnswer extends Readonly<Record<string, unknown>> {
  readonly recovering: boolean;
  /** Null behind recovery. */
  readonly state: string | null;
  /** Up to where it has replayed. */
  readonly lsn: string | null;
  /** What the process that replays waits for: an event by its name, and `Lock` for a lock of any kind. */
  readonly waits: string | null;
}

const QUERY = `SELECT pg_is_in_recovery() AS recovering,
  CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() END AS state,
  pg_last_wal_replay_lsn()::text AS lsn,
  (SELECT CASE wait_event_type WHEN 'Lock' THEN 'Lock' ELSE wait_event END FROM pg_stat_activity WHERE backend_type = 'startup') AS waits`;

/** Asks the server that runs in a data directory as a superuser. Rejects with `SERVER_UNREACHABLE` where it has no socket, and like `findSuperuser`. */
export async function askReplay({
  dataDir,
  backup,
  role,
  signal,
}: AskOptions): Promise<{ readonly user: string; readonly answer: ReplayAnswer | undefined }> {
  const { port, socketDir: host } = await readClusterState(dataDir);
  if (host === undefined || port === undefined) throw new SoarError("SERVER_UNREACHABLE", "it has no socket");
  const postgresMajor = majorOfVersionNumber(backup.postgresVersion);
  const server = await findSuperuser(
    { host, port, user: role, applicationName: "soar-restore", postgresMajor },
    { ...entrancesOf(backup, role), signal },
  );
  await using sql = await connectSql(server, { signal });
  const [answer] = await sql.query<ReplayAnswer>(QUERY);
  return { user: server.user, answer };
}
