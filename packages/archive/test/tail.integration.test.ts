import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/test-servers";
import { formatWalSegment, parseLsn, segmentIndexOfLsn } from "@soar/pg-tools";
import { listTailPieces, listTailSegments, readTail, type ClusterIdentity } from "@soar/repository";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { afterEach, beforeEach, expect, test } from "vitest";
import { archiveWalFile } from "../src/archive-wal-file.ts";
import { readClusterIdentity } from "../src/cluster-identity.ts";
import { runTailShipper } from "../src/tail/run-tail-shipper.ts";
import { createTailCleaner } from "../src/tail/tail-cleaner.ts";
import type { TailOptions } from "../src/tail/stream-tail.ts";
import type { TailEvent } from "../src/tail/tail-event.ts";

const SEGMENT_SIZE = 2 ** 20;
let cluster: TestCluster;
let store: ObjectStore;
let identity: ClusterIdentity;
let events: TailEvent[];
let stops: (() => Promise<void>)[];
beforeEach(async () => {
  cluster = await createTestCluster({ installation: requireInstallation("pg_ctl"), initdbArgs: ["--wal-segsize=1"], archiveCommand: "true", settings: { autovacuum: "off", bgwriter_lru_maxpages: "0" } });
  await cluster.query("create table t (n int)");
  store = createMemoryStore({ name: "tail" });
  identity = await readClusterIdentity(join(cluster.dataDir, "pg_wal", "x"));
  [events, stops] = [[], []];
});
afterEach(async () => {
  for (const stop of stops) await stop();
  await cluster.remove();
});

function startShipper(intervalMs = 20, more: Pick<TailOptions, "synchronous"> = {}): () => Promise<void> {
  const controller = new AbortController();
  const running = runTailShipper(store, { server: cluster.connection, cluster: identity, intervalMs, ...more, signal: controller.signal, onEvent: (event) => events.push(event) });
  const stop = async (): Promise<void> => {
    controller.abort();
    await running;
  };
  stops.push(stop);
  return stop;
}

async function commit(): Promise<bigint> {
  await cluster.query("insert into t values (1)");
  const [row] = await cluster.query<{ lsn: string }>("select pg_current_wal_flush_lsn()::text as lsn");
  return parseLsn(row?.lsn ?? "");
}

async function shippedTo(lsn: bigint): Promise<void> {
  const isShipped = (): boolean => events.some((event) => event.type === "tail-shipped" && event.endLsn >= lsn);
  // The failures are what a reader of a red test needs.
  await expect.poll(() => (isShipped() ? "shipped" : events.filter(({ type }) => type !== "tail-shipped")), { timeout: 20_000 }).toBe("shipped");
}
const segmentAt = (lsn: bigint): string => formatWalSegment({ timeline: 1, index: segmentIndexOfLsn(lsn, SEGMENT_SIZE) }, SEGMENT_SIZE);

async function expectTailIsWal(lsn: bigint): Promise<void> {
  const tail = await readTail(store, segmentAt(lsn));
  const onDisk = readFileSync(join(cluster.dataDir, "pg_wal", segmentAt(lsn)));
  expect(tail?.bytes.length).toBeGreaterThanOrEqual(Number(lsn % BigInt(SEGMENT_SIZE)));
  expect(tail?.bytes.equals(onDisk.subarray(0, tail.bytes.length))).toBe(true);
}

test("ships every commit of the unfinished segment, consolidates, and sends nothing when nothing is written", async () => {
  startShipper(0);
  let lsn = await commit();
  await shippedTo(lsn);
  for (let n = 0; n < 70; n += 1) {
    lsn = await commit();
    await shippedTo(lsn);
  }
  const pieces = await listTailPieces(store, segmentAt(lsn));
  expect(pieces.length).toBeGreaterThan(64);
  expect(pieces.filter(({ from }) => from === 0)).toHaveLength(2);
  expect((await readTail(store, segmentAt(lsn)))?.pieces.length).toBeLessThan(20);
  await expectTailIsWal(lsn);
  const before = events.length;
  await cluster.query("select pg_sleep(0.5)");
  expect(events.length - before).toBeLessThanOrEqual(2);
});

test("resumes after a disconnect, a crash of the server, and a new start, without sending again what is there", async () => {
  const stop = startShipper();
  await shippedTo(await commit());
  await cluster.query("select pg_terminate_backend(pid) from pg_stat_replication");
  await shippedTo(await commit());
  await cluster.kill();
  await cluster.start();
  const lsn = await commit();
  await shippedTo(lsn);
  await expectTailIsWal(lsn);
  await stop();
  const puts = (await listTailPieces(store, segmentAt(lsn))).length;
  events = [];
  startShipper();
  await expect.poll(() => events.map(({ type }) => type)).toContain("tail-connected");
  const last = await commit();
  await shippedTo(last);
  await expectTailIsWal(last);
  expect((await listTailPieces(store, segmentAt(last))).length - puts).toBeLessThanOrEqual(3);
  expect(events.filter(({ type }) => type === "tail-stopped")).toEqual([]);
});

test("follows the server into the next segment; a tail goes when the segment is archived", async () => {
  startShipper();
  const first = await commit();
  await shippedTo(first);
  await cluster.query("select pg_switch_wal()");
  const second = await commit();
  await shippedTo(second);
  await expectTailIsWal(second);
  expect(await listTailSegments(store)).toEqual([segmentAt(first), segmentAt(second)]);
  const name = segmentAt(first);
  await archiveWalFile(store, join(cluster.dataDir, "pg_wal", name), name, { codec: "zstd", toolVersion: "test", now: new Date() });
  const cleaner = createTailCleaner(store, { signal: new AbortController().signal, onFailure: (_, error) => expect.fail(String(error)) });
  cleaner.sweep();
  await cleaner.idle();
  expect(await listTailSegments(store)).toEqual([segmentAt(second)]);
});

test("a volume that was rolled back is noticed, and stops it before anything is written", async () => {
  const copy = mkdtempSync(join(tmpdir(), "soar-rollback-"));
  await cluster.stop();
  // With owners: the server's user is another one where the test runs as root.
  execFileSync("cp", ["-a", cluster.dataDir, join(copy, "data")]);
  await cluster.start();
  const stop = startShipper();
  for (let n = 0; n < 20; n += 1) await commit();
  const lsn = await commit();
  await shippedTo(lsn);
  await stop();
  await cluster.stop();
  rmSync(cluster.dataDir, { recursive: true });
  execFileSync("cp", ["-a", join(copy, "data"), cluster.dataDir]);
  rmSync(copy, { recursive: true });
  await cluster.start();
  const before = await listTailPieces(store, segmentAt(lsn));
  events = [];
  startShipper();
  await expect.poll(() => events.find(({ type }) => type === "tail-stopped"), { timeout: 20_000 }).toMatchObject({ error: { code: "WAL_CONFLICT", hint: expect.stringContaining("rolled back") as string } });
  // Also when it has grown beyond the old end meanwhile: the bytes differ then.
  for (let n = 0; n < 60; n += 1) await commit();
  events = [];
  startShipper();
  await expect.poll(() => events.find(({ type }) => type === "tail-stopped"), { timeout: 20_000 }).toMatchObject({ error: { code: "WAL_CONFLICT" } });
  expect(await listTailPieces(store, segmentAt(lsn))).toEqual(before);
});

test("another cluster's server is refused", async () => {
  identity = { ...identity, systemIdentifier: "7000000000000000000" };
  startShipper();
  await expect.poll(() => events.find(({ type }) => type === "tail-stopped")).toMatchObject({ error: { code: "REPOSITORY_FOREIGN" } });
});

test("synchronous: COMMIT returns only when the bucket has it, across segments, and not before what is older is archived", async () => {
  await cluster.configure({ synchronous_standby_names: "soar" });
  let isArchived = false;
  startShipper(1_000, { synchronous: { isArchivedBefore: () => isArchived } });
  await expect.poll(() => events.map(({ type }) => type)).toContain("tail-connected");
  let isCommitted = false;
  const first = cluster.query("insert into t values (1)").then(() => (isCommitted = true));
  await expect.poll(() => cluster.query("select 1 from pg_stat_activity where wait_event = 'SyncRep'")).toHaveLength(1);
  expect(isCommitted).toBe(false);
  isArchived = true;
  await first;
  for (let n = 0; n < 30; n += 1) {
    await cluster.query(n === 15 ? "select pg_switch_wal()" : "insert into t values (2)");
    // What was committed is there at this very moment, without waiting for anything.
    const [row] = await cluster.query<{ lsn: string }>("select flush_lsn::text as lsn from pg_stat_replication");
    const lsn = parseLsn(row?.lsn ?? "");
    const pieces = await listTailPieces(store, segmentAt(lsn - 1n));
    expect(Math.max(...pieces.map(({ to }) => to))).toBeGreaterThanOrEqual(Number((lsn - 1n) % BigInt(SEGMENT_SIZE)));
  }
  expect(events.some(({ type }) => type === "tail-interrupted")).toBe(false);
});

test("synchronous: remote_apply is refused", async () => {
  await cluster.configure({ synchronous_commit: "remote_apply" });
  startShipper(0, { synchronous: { isArchivedBefore: () => true } });
  await expect.poll(() => events.find(({ type }) => type === "tail-interrupted")).toMatchObject({ error: { code: "SERVER_UNSUITABLE", message: expect.stringContaining("remote_apply") as string } });
});
