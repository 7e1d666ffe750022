// @module-tag needs-postgres-clients
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import {
  adoptTestCluster,
  createTestCluster,
  requireInstallation,
  type TestCluster,
} from "@soar-tooling/postgres-clusters";
import { freePort } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";
import { waitUntil } from "../src/wait-until.ts";

/** A subscriber, with a library that begins work by itself, and a commit that waits for the archiver; and its publisher. */
let world: SoarWorld;
let publisher: TestCluster;
let dataDir: string;

beforeAll(async () => {
  const installation = requireInstallation("psql");
  publisher = await createTestCluster({ installation, settings: { wal_level: "logical" } });
  world = await createSoarWorld({
    installation,
    initdbArgs: ["--wal-segsize=1"],
    databases: ["soar"],
    settings: { shared_preload_libraries: "pg_prewarm" },
  });
  dataDir = join(world.directory, "copy");
  await publisher.query("CREATE TABLE orders (id int PRIMARY KEY); CREATE PUBLICATION all_orders FOR TABLE orders");
  const { cluster } = world;
  await cluster.query("CREATE TABLE orders (id int PRIMARY KEY)", [], "soar");
  const conninfo = `host=${publisher.socketDir} port=${publisher.port} user=postgres dbname=postgres`;
  await cluster.query(`CREATE SUBSCRIPTION orders CONNECTION '${conninfo}' PUBLICATION all_orders`, [], "soar");
  await cluster.query(
    `CREATE SUBSCRIPTION resting CONNECTION '${conninfo}' PUBLICATION all_orders WITH (connect = false)`,
  );
  await publish(1);
  await waitUntil("the first row to arrive", async () => (await rowsOf(cluster)) === 1);
  // In the file that the backup holds; here it does not count.
  await cluster.query("ALTER SYSTEM SET synchronous_standby_names = 'soar'");
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await archiveAll(cluster);
  await cluster.query("ALTER SYSTEM RESET synchronous_standby_names");
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await publisher.remove();
});

const publish = (id: number) => publisher.query("INSERT INTO orders VALUES ($1)", [id]);
const rowsOf = async (cluster: TestCluster): Promise<number | undefined> =>
  (await cluster.query<{ rows: number }>("SELECT count(*)::int AS rows FROM orders", [], "soar"))[0]?.rows;
/** By their processes: not every worker shows in pg_stat_activity. */
const processesOf = (cluster: TestCluster): string =>
  execFileSync("ps", ["--ppid", String(cluster.pid()), "-o", "args="], { encoding: "utf8" });
const WORKERS = /logical replication|autoprewarm/;
const slotIsTaken = async (): Promise<boolean | undefined> =>
  (await publisher.query<{ active: boolean }>("SELECT active FROM pg_replication_slots WHERE slot_name = 'orders'"))[0]
    ?.active;

test("a copy takes nothing from the publisher and begins no work, and the plan names what stands still", async () => {
  const { cluster } = world;
  // The real subscriber is away for a while: whoever takes the slot now gets what it will lack for ever.
  await cluster.stop();
  await waitUntil("the slot to be free", async () => (await slotIsTaken()) === false);
  await publish(2);
  const port = await freePort();
  const args = ["--latest", "--data-dir", dataDir, "--port", String(port)];
  const plan = await world.run("soar-restore", ["plan", "--latest", "--data-dir", dataDir]);
  expect(plan.stdout).toMatch(
    /afterwards: +.*as a copy it acts on nobody.*archives nothing.*subscriptions \(orders in 'soar'\).*pg_prewarm.*soar-restore adopt/,
  );
  const restored = await world.run("soar-restore", [...args, "--yes"]);
  expect(restored, restored.stderr).toMatchObject({ status: 0 });
  expect(restored.stdout).toMatch(/copy: +.*subscriptions \(orders in 'soar'\)/);
  await using copy = await adoptTestCluster({ installation: cluster.installation, dataDir, start: false });
  await copy.stop();
  await copy.start();
  expect(
    await copy.query(
      "SELECT current_setting('max_worker_processes') AS workers, current_setting('max_logical_replication_workers') AS appliers",
    ),
  ).toEqual([{ workers: "0", appliers: "0" }]);
  // Names with a dot are taken by a server that lacks the library, too.
  expect(
    await copy.query(
      "SELECT current_setting('timescaledb.max_background_workers') AS jobs, current_setting('citus.recover_2pc_interval') AS recovery",
    ),
  ).toEqual([{ jobs: "0", recovery: "-1" }]);
  // Is started together with the others, if there are any.
  await waitUntil("the autovacuum launcher", async () => processesOf(copy).includes("autovacuum launcher"));
  expect(processesOf(copy)).not.toMatch(WORKERS);
  // Nor does a commit wait for whom only the source has.
  await copy.query("CREATE TABLE of_the_copy ()");
  expect(await slotIsTaken()).toBe(false);
  await copy.stop();
  await cluster.start();
  await waitUntil("the second row to arrive", async () => (await rowsOf(cluster)) === 2);
});

test("once it is adopted it is what its source was", async () => {
  const { cluster } = world;
  await cluster.stop();
  const adopted = await world.run("soar-restore", ["adopt", "--data-dir", dataDir, "--yes"]);
  expect(adopted, adopted.stderr).toMatchObject({ status: 0 });
  await using copy = await adoptTestCluster({ installation: cluster.installation, dataDir });
  await waitUntil("its subscription to go on", async () => (await slotIsTaken()) === true);
  await publish(3);
  await waitUntil(
    "the third row to arrive",
    async () => (await copy.query("SELECT FROM orders WHERE id = 3", [], "soar")).length === 1,
  );
  expect(processesOf(copy)).toMatch(/autoprewarm leader/);
  expect(processesOf(copy)).toMatch(/logical replication launcher/);
});
