// @module-tag needs-postgres-clients
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { claimRepository } from "@soar/repository";
import { openStore } from "@soar/storage";
import { adoptTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { startProgram } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, ROOT, type SoarWorld } from "../src/soar-world.ts";
import { waitUntil } from "../src/wait-until.ts";

// Standbys that know their primary by the archive alone.

const FETCH = join(ROOT, "node_modules", ".bin", "soar-restore");
const installation = requireInstallation("pg_ctl", "pg_basebackup", "pg_rewind");
let world: SoarWorld;
let follower: TestCluster;
let successor: TestCluster;

beforeAll(async () => {
  world = await createSoarWorld({
    installation,
    initdbArgs: ["--wal-segsize=1", "--data-checksums"],
    settings: { wal_keep_size: 0, wal_retrieve_retry_interval: "1s" },
  });
  await world.cluster.query("CREATE TABLE t AS SELECT 0 AS a");
  await world.cluster.query(
    `ALTER SYSTEM SET restore_command = '${FETCH} --env-file ${world.envFile} wal-fetch %f %p; case $? in 0) exit 0;; 1) exit 1;; esac; [ -e standby.signal ] && exit 1; exit 126'`,
  );
  follower = await createStandby("follower");
  successor = await createStandby("successor");
});
beforeEach(() => world.s3.clearFaults());
afterAll(async () => {
  await follower.remove();
  await successor.remove();
  await world[Symbol.asyncDispose]();
});

async function createStandby(name: string): Promise<TestCluster> {
  const dataDir = world.cluster.tablespaceDir(name);
  await world.cluster.runProgram("pg_basebackup", ["-D", dataDir, "-X", "none", "-c", "fast"]);
  writeFileSync(join(dataDir, "standby.signal"), "");
  await archiveAll(world.cluster);
  return adoptTestCluster({ installation, dataDir });
}

async function insert(cluster: TestCluster, from: number): Promise<void> {
  await cluster.query(`INSERT INTO t SELECT generate_series(${from}, ${from} + 99)`);
  await archiveAll(cluster);
}

async function largest(cluster: TestCluster): Promise<number | undefined> {
  const [row] = await cluster.query<{ a: number }>("SELECT max(a) AS a FROM t");
  return row?.a;
}

const reaches = (cluster: TestCluster, row: number): Promise<void> =>
  waitUntil(`the standby has row ${row}`, async () => (await largest(cluster)) === row);

const OTHER = { systemIdentifier: "7000000000000000001", postgresMajor: 15, walSegmentSize: 1024 * 1024 };

/** Another cluster's repository, in the same bucket. */
async function claimOther(): Promise<void> {
  const { endpoint, region, accessKeyId, secretAccessKey } = world.s3;
  const credentials = { accessKeyId, secretAccessKey };
  const store = openStore({ url: "s3://soar-backup/other", endpoint, region, pathStyle: true, credentials });
  await claimRepository(store, OTHER, { toolVersion: "test", now: new Date() });
  await store.close();
}

test("a standby follows, lives through minutes without the bucket, and goes on", { timeout: 120_000 }, async () => {
  await insert(world.cluster, 1);
  await reaches(follower, 100);
  const outage = world.s3.inject({
    operation: "GetObject",
    key: /\/wal\/[0-9A-F]{24}\./,
    times: "always",
    fault: { type: "error", status: 503, code: "SlowDown" },
  });
  await insert(world.cluster, 101);
  await outage.firstHit;
  expect(await largest(follower)).toBe(100);
  outage.remove();
  await reaches(follower, 200);
  expect(await follower.log()).not.toMatch(/FATAL/);
});

test("what is not there, or damaged, is asked for again and never delivered", { timeout: 120_000 }, async () => {
  const fetchFrom = (bucket: string, name: string, ...args: readonly string[]) =>
    startProgram([FETCH, "--env-file", world.envFile, "wal-fetch", ...args, name, "pg_wal/FETCHED"], {
      cwd: follower.dataDir,
      env: { PATH: process.env["PATH"] ?? "", BACKUP_BUCKET: `s3://soar-backup/${bucket}` },
    }).result;
  const fetch = (name: string, ...args: readonly string[]) => fetchFrom("cluster1", name, ...args);
  const absent = "0000000100000000000000F0";
  expect(await fetch(absent)).toMatchObject({ status: 1, stderr: expect.stringContaining(`there is no '${absent}'`) });
  expect(await fetch("00000007.history")).toMatchObject({ status: 1 });
  expect(await fetch("0000000100000000000000F0.partial")).toMatchObject({ status: 1 });
  expect(await fetch(absent, "--no-such-word")).toMatchObject({ status: 1 });
  await claimOther();
  const told = expect.stringContaining(`is of the cluster with system identifier ${OTHER.systemIdentifier}`);
  expect(await fetchFrom("other", absent)).toMatchObject({ status: 1, stderr: told });
  world.s3.inject({ times: "always", fault: { type: "error", status: 403, code: "AccessDenied" } });
  expect(await fetch(absent)).toMatchObject({ status: 1, stderr: expect.stringContaining("access is denied") });
  expect(existsSync(join(follower.dataDir, "pg_wal", "FETCHED"))).toBe(false);
});

test(
  "a standby follows its new primary, and nothing that the old one went on to archive is taken for the cluster's",
  { timeout: 120_000 },
  async () => {
    await reaches(successor, 200);
    await follower.stop();
    await successor.query("SELECT pg_promote(true)");
    // The old primary was not told: its branch goes on, in later segments, too.
    await insert(world.cluster, 9001);
    await insert(world.cluster, 9101);
    await insert(successor, 201);
    await follower.start();
    await reaches(follower, 300);
    expect(await follower.query("SELECT count(*)::int AS strange FROM t WHERE a > 9000")).toEqual([{ strange: 0 }]);
    expect(readFileSync(join(follower.dataDir, "pg_wal", "00000002.history"), "utf8")).toMatch(/^1\t/);
    expect(await follower.log()).not.toMatch(/FATAL|PANIC/);
  },
);

test("the old primary comes back by pg_rewind, with WAL that only the bucket has", { timeout: 120_000 }, async () => {
  const { cluster } = world;
  const [current] = await cluster.query<{ name: string }>("SELECT pg_walfile_name(pg_current_wal_lsn()) AS name");
  await cluster.stop();
  const walDir = join(cluster.dataDir, "pg_wal");
  const old = readdirSync(walDir).filter((name) => /^[0-9A-F]{24}$/.test(name) && name < (current?.name ?? ""));
  for (const name of old) rmSync(join(walDir, name));
  const { host, port, user } = successor.connection;
  const source = `host=${host} port=${port} user=${user} dbname=postgres`;
  const args = ["--restore-target-wal", "--target-pgdata", cluster.dataDir, "--source-server", source];
  await successor.query("SELECT pg_logical_emit_message(true, 'test', 'within a segment')");
  const rewound = await cluster.runProgram("pg_rewind", args);
  expect(rewound, rewound.stderr).toMatchObject({ status: 0 });
  // Consistent where the new primary was within a segment, which may have gone on since its file was copied: nobody is let in before
  // that is archived.
  for (const name of readdirSync(walDir).filter((one) => /^00000002[0-9A-F]{16}$/.test(one)))
    rmSync(join(walDir, name));
  writeFileSync(join(cluster.dataDir, "standby.signal"), "");
  await insert(successor, 301);
  await cluster.start();
  await reaches(cluster, 400);
  expect(await cluster.query("SELECT count(*)::int AS strange FROM t WHERE a > 9000")).toEqual([{ strange: 0 }]);
});
