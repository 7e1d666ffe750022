import type { TestCluster } from "@soar-tooling/postgres-clusters";
import { waitUntil } from "./wait-until.ts";

/** Finishes the current segment and waits until PostgreSQL has been told that it is archived. */
export async function archiveAll(cluster: TestCluster): Promise<void> {
  const [row] = await cluster.query<{ name: string }>("SELECT pg_walfile_name(pg_switch_wal() - 1) AS name");
  await waitUntil(`${row?.name} to be archived`, async () => {
    const [state] = await cluster.query<{ done: boolean | null }>(
      "SELECT last_archived_wal >= $1 AS done FROM pg_stat_archiver",
      [row?.name],
    );
    return state?.done === true;
  });
}

/** The server's clock, to the microsecond, between two commits. */
export async function databaseTime(cluster: TestCluster): Promise<string> {
  const [row] = await cluster.query<{ now: string }>(
    "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00') AS now",
  );
  return row?.now ?? "";
}

/** Until the server's clock is a full second behind its last checkpoint: an earlier instant counts as before a backup that began with it. */
export async function passCheckpoint(cluster: TestCluster): Promise<void> {
  await cluster.query(
    "SELECT pg_sleep(greatest(0, extract(epoch FROM checkpoint_time + interval '1.1 s' - clock_timestamp()))) FROM pg_control_checkpoint()",
  );
}
