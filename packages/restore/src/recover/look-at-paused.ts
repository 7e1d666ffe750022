import { isSoarError } from "@soar/errors";
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

interface LookOptions {
  readonly dataDir: string;
  readonly backup: Pick<BackupRecord, "source" | "databases" | "postgresVersion">;
  /** A role of the source, where the record names no superuser. */
  readonly role: string;
  readonly since: string;
  readonly signal?: AbortSignal | undefined;
}

/** Asks a server that was seen to pause what it does. That it cannot be asked ends nothing: it has done what it was told. Rejects with `ABORTED` on the signal. */
export async function lookAtPaused(options: LookOptions): Promise<PausedServer> {
  const { dataDir, backup, role, since, signal } = options;
  const { port, socketDir: host } = await readClusterState(dataDir);
  const place = { since, host, port, user: undefined, isInRecovery: undefined, pauseState: undefined };
  if (host === undefined || port === undefined) return { ...place, unasked: "it has no socket" };
  try {
    const postgresMajor = majorOfVersionNumber(backup.postgresVersion);
    const server = await findSuperuser(
      { host, port, user: role, applicationName: "soar-restore", postgresMajor },
      { ...entrancesOf(backup, role), signal },
    );
    await using sql = await connectSql(server, { signal });
    const [row] = await sql.query<{ recovering: boolean; state: string }>(
      "SELECT pg_is_in_recovery() AS recovering, CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() END AS state",
    );
    return {
      ...place,
      user: server.user,
      isInRecovery: row?.recovering,
      pauseState: row?.state ?? undefined,
      unasked: undefined,
    };
  } catch (error) {
    if (isSoarError(error) && error.code !== "ABORTED") return { ...place, unasked: error.message };
    throw error;
  }
}
