import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { TestCluster } from "@soar-tooling/postgres-clusters";
import { startTraffic, startTrafficWithoutDevices } from "./traffic.ts";
import { waitForArchiver } from "./wait-for-archiver.ts";

export interface Accident {
  /** Rows that were deleted. */
  readonly deleted: number;
  /** An instant behind the accident's commit and before any later one. */
  readonly at: string;
  /** Transactions between the target and the accident, and behind it. */
  readonly before: number;
  readonly after: number;
}

const A_SECOND_MS = 1_000;

/** A whole second that begins when everything so far is committed and nothing else is: what a person would name as the target. */
export async function waitForNextSecond(cluster: TestCluster): Promise<string> {
  const [next] = await cluster.query<{ second: string }>(
    `SELECT ${textOf("clock_timestamp() + interval '1 second'", "HH24:MI:SS")} AS second`,
  );
  const second = next?.second ?? "";
  for (;;) {
    const [row] = await cluster.query<{ passed: boolean; left: number }>(
      "SELECT clock_timestamp() > $1::timestamptz AS passed, extract(epoch FROM $1::timestamptz - clock_timestamp())::float8 AS left",
      [second],
    );
    if (row?.passed === true) return second;
    await delay(Math.max(1, (row?.left ?? 0) * A_SECOND_MS));
  }
}

/** Writes go on for a second; then all devices are deleted; then writes go on until the WAL of all of it is in the bucket. */
export async function meetAccident(cluster: TestCluster): Promise<Accident> {
  const traffic = startTraffic(cluster);
  await delay(A_SECOND_MS);
  const before = await traffic.stop();
  const [result] = await cluster.query<{ deleted: string }>(
    "WITH gone AS (DELETE FROM devices RETURNING 1) SELECT count(*) AS deleted FROM gone",
    [],
    "soar",
  );
  const [clock] = await cluster.query<{ at: string }>(`SELECT ${textOf("clock_timestamp()", "HH24:MI:SS.US")} AS at`);
  const later = startTrafficWithoutDevices(cluster);
  await delay(A_SECOND_MS / 2);
  const [segment] = await cluster.query<{ name: string }>("SELECT pg_walfile_name(pg_switch_wal()) AS name");
  await waitForArchiver(cluster, segment?.name ?? "");
  return { deleted: Number(result?.deleted), at: clock?.at ?? "", before, after: await later.stop() };
}

/** `kill -9`, and the data directory is gone. */
export async function loseServer(cluster: TestCluster): Promise<void> {
  await cluster.kill();
  await rm(cluster.dataDir, { recursive: true });
}

/** With its offset, so that no reader can mistake the zone. */
function textOf(instant: string, time: string): string {
  return `to_char((${instant}) AT TIME ZONE 'UTC', 'YYYY-MM-DD ${time}') || '+00'`;
}
