import { execFileSync } from "node:child_process";
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { adoptTestCluster, postgresMajors, type TestCluster } from "@soar-tooling/postgres-clusters";
import { formatHistoryFileName, parseLsn } from "@soar/pg-tools";
import { listTailPieces } from "@soar/repository/tail";
import { describe, expect, test } from "vitest";
import { createTailWorld, flushLsn, SEGMENT_SIZE, type TailWorld } from "./tail-world.fixture.ts";

const installations = postgresMajors();
const oldestAndNewest = [installations.at(0), installations.at(-1)].flatMap((one) => (one === undefined ? [] : [one]));

/** A standby that streams from the world's server, made of a copy of its directory: that works with every installation. */
async function startStandby({ cluster }: TailWorld): Promise<TestCluster> {
  const dataDir = join(cluster.tablespaceDir("standby"), "data");
  await cluster.stop();
  execFileSync("cp", ["-a", cluster.dataDir, dataDir]);
  await cluster.start();
  appendFileSync(
    join(dataDir, "postgresql.conf"),
    `primary_conninfo = 'host=127.0.0.1 port=${cluster.port} user=postgres'\n`,
  );
  // Readable for the server's user; it removes the file when it is promoted.
  writeFileSync(join(dataDir, "standby.signal"), "");
  return adoptTestCluster({ installation: cluster.installation, dataDir });
}

async function commitOn(cluster: TestCluster): Promise<bigint> {
  await cluster.query("insert into t values (2)");
  return flushLsn(cluster);
}

async function received(standby: TestCluster, lsn: bigint): Promise<void> {
  const position = async (): Promise<bigint> =>
    parseLsn((await standby.query<{ lsn: string }>("select pg_last_wal_replay_lsn()::text as lsn"))[0]?.lsn ?? "0/0");
  await expect.poll(position, { timeout: 20_000 }).toBeGreaterThanOrEqual(lsn);
}

async function promote(standby: TestCluster): Promise<void> {
  expect(await standby.query("select pg_promote() as promoted")).toEqual([{ promoted: true }]);
}

const shippedOn = ({ events }: TailWorld, timeline: number): bigint[] =>
  events.flatMap((event) =>
    event.type === "tail-shipped" && event.segmentName.startsWith(timeline.toString(16).toUpperCase().padStart(8, "0"))
      ? [event.endLsn]
      : [],
  );

describe.each(oldestAndNewest.map((installation) => [installation.major, installation] as const))(
  "PostgreSQL %i",
  (_, installation) => {
    test("a standby is shipped from, behind its primary too, and followed onto its own timeline while the old primary goes on", async () => {
      await using world = await createTailWorld({ installation });
      await using standby = await startStandby(world);
      world.startShipper();
      await world.shippedTo(await world.commit());
      await received(standby, await flushLsn(world.cluster));
      // From here on the standby is behind what the primary has shipped.
      await standby.configure({ primary_conninfo: "" });
      await expect
        .poll(() => world.cluster.query("select 1 from pg_stat_replication where application_name <> 'soar'"), {
          timeout: 20_000,
        })
        .toEqual([]);
      await world.shippedTo(await world.commit());
      world.startShipper({ server: standby.connection });
      await expect.poll(() => world.events.filter(({ type }) => type === "tail-connected")).toHaveLength(2);

      await promote(standby);
      const [young, old] = [await commitOn(standby), await world.commit()];
      await expect.poll(() => shippedOn(world, 2).some((lsn) => lsn >= young), { timeout: 20_000 }).toBe(true);
      await world.shippedTo(old);
      await world.expectTailIsWal(young, { cluster: standby, timeline: 2 });
      await world.expectTailIsWal(old);
      expect(world.events.filter(({ type }) => type === "tail-stopped")).toEqual([]);
    });
  },
);

test("in synchronous mode a promoted server's commits wait for its history file and for what its primary had not archived", async () => {
  await using world = await createTailWorld();
  await using standby = await startStandby(world);
  // The archive begins here, and lacks the last full segment before the switch.
  const first = await flushLsn(world.cluster);
  await world.cluster.query("insert into t values (1); select pg_switch_wal()");
  const second = await flushLsn(world.cluster);
  await world.cluster.query("insert into t values (1); select pg_switch_wal()");
  await world.archive([world.segmentAt(first)]);
  await received(standby, await world.commit());
  await standby.configure({ synchronous_standby_names: "soar" });
  await expect
    .poll(() => standby.query("show synchronous_standby_names"))
    .toEqual([{ synchronous_standby_names: "soar" }]);
  world.startShipper({ server: standby.connection, synchronous: true });
  await promote(standby);
  let isDone = false;
  const commit = standby.query("insert into t values (3)").then(() => (isDone = true));
  await expect.poll(() => shippedOn(world, 2).length, { timeout: 20_000 }).toBeGreaterThan(0);
  await world.archive([formatHistoryFileName(2)], standby);
  await expect.poll(() => standby.query("select 1 from pg_stat_activity where wait_event = 'SyncRep'")).toHaveLength(1);
  expect(isDone).toBe(false);
  await world.archive([world.segmentAt(second)]);
  await commit;
  expect(world.events.filter(({ type }) => type === "tail-confirmed").length).toBeGreaterThan(0);
});

test("a slot follows whole segments that are archived, never the tail, also over a timeline switch", async () => {
  await using world = await createTailWorld();
  await using standby = await startStandby(world);
  await standby.query("select pg_create_physical_replication_slot('soar', true)");
  let isArchived = false;
  world.startShipper({ server: standby.connection, slot: "soar", isArchivedBefore: () => isArchived });
  const restart = async (): Promise<bigint> =>
    parseLsn(
      (await standby.query<{ lsn: string }>("select restart_lsn::text as lsn from pg_replication_slots"))[0]?.lsn ?? "",
    );
  await promote(standby);
  const before = await restart();
  const lsn = await commitOn(standby);
  await expect.poll(() => shippedOn(world, 2).some((end) => end >= lsn), { timeout: 20_000 }).toBe(true);
  expect(await restart()).toBe(before);
  isArchived = true;
  await world.archive([formatHistoryFileName(2)], standby);
  await standby.query("select pg_switch_wal()");
  const next = await commitOn(standby);
  await world.archive([world.segmentAt(lsn, 2)], standby);
  await expect.poll(restart, { timeout: 20_000 }).toBe(next - (next % BigInt(SEGMENT_SIZE)));
  expect((await listTailPieces(world.store, world.segmentAt(next, 2))).length).toBeGreaterThan(0);
});
