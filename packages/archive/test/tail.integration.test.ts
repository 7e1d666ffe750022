import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProxy } from "@soar-tooling/test-bench";
import { listTailPieces, listTailSegments, readTail } from "@soar/repository/tail";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTailCleaner } from "../src/tail/tail-cleaner.ts";
import { createTailWorld, SEGMENT_SIZE, type TailWorld } from "./tail-world.fixture.ts";

let world: TailWorld;
beforeEach(async () => {
  world = await createTailWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

test("ships every commit of the unfinished segment, consolidates, and sends nothing when nothing is written", async () => {
  world.startShipper({ intervalMs: 0 });
  let lsn = await world.commit();
  await world.shippedTo(lsn);
  for (let n = 0; n < 70; n += 1) {
    lsn = await world.commit();
    await world.shippedTo(lsn);
  }
  const pieces = await listTailPieces(world.store, world.segmentAt(lsn));
  expect(pieces.length).toBeGreaterThan(64);
  expect(pieces.filter(({ from }) => from === 0)).toHaveLength(2);
  expect((await readTail(world.store, world.segmentAt(lsn)))?.pieces.length).toBeLessThan(20);
  await world.expectTailIsWal(lsn);
  const before = world.events.length;
  await world.cluster.query("select pg_sleep(0.5)");
  expect(world.events.length - before).toBeLessThanOrEqual(2);
});

test.each([undefined, "soar"])(
  "resumes after disconnects, a crash of the server, and a new start, without sending again what is there (slot: %s)",
  async (slot) => {
    const { cluster, store } = world;
    if (slot !== undefined) await cluster.query("select pg_create_physical_replication_slot($1)", [slot]);
    const proxy = await startProxy({ target: cluster.connection });
    await using closing = new AsyncDisposableStack();
    closing.defer(() => proxy.close());
    const server = { ...cluster.connection, port: proxy.port };
    const stop = world.startShipper({ slot, server });
    await world.shippedTo(await world.commit());
    proxy.cutAll();
    await world.shippedTo(await world.commit());
    await cluster.query("select pg_terminate_backend(pid) from pg_stat_replication");
    await world.shippedTo(await world.commit());
    // In the middle of what the server sends.
    const cut = proxy.impair({ direction: "to-client", times: 1, impairment: { type: "cut", afterBytes: 10_000 } });
    await cluster.query("insert into t select n from generate_series(1, 500) n");
    await cut.firstHit;
    await world.shippedTo(await world.commit());
    await cluster.kill();
    await cluster.start();
    const lsn = await world.commit();
    await world.shippedTo(lsn);
    await world.expectTailIsWal(lsn);
    await stop();
    const puts = (await listTailPieces(store, world.segmentAt(lsn))).length;
    world.events.length = 0;
    world.startShipper({ slot, server });
    await expect.poll(() => world.events.map(({ type }) => type)).toContain("tail-connected");
    const last = await world.commit();
    await world.shippedTo(last);
    await world.expectTailIsWal(last);
    expect((await listTailPieces(store, world.segmentAt(last))).length - puts).toBeLessThanOrEqual(3);
    expect(world.events.filter(({ type }) => type === "tail-stopped")).toEqual([]);
  },
);

test("what an earlier run has shipped is found in the bucket at once, on a server that writes nothing", async () => {
  const stop = world.startShipper();
  const lsn = await world.commit();
  await world.shippedTo(lsn);
  await stop();
  world.events.length = 0;
  world.startShipper();
  const found = await world.happened("tail-found");
  expect(found).toMatchObject({ segmentName: world.segmentAt(lsn), endLsn: lsn });
  expect(world.events.filter(({ type }) => type === "tail-shipped")).toEqual([]);
});

test("follows the server into the next segment; a tail goes when the segment is archived", async () => {
  world.startShipper();
  const first = await world.commit();
  await world.shippedTo(first);
  await world.cluster.query("select pg_switch_wal()");
  const second = await world.commit();
  await world.shippedTo(second);
  await world.expectTailIsWal(second);
  expect(await listTailSegments(world.store)).toEqual([world.segmentAt(first), world.segmentAt(second)]);
  await world.archive([world.segmentAt(first)]);
  const cleaner = createTailCleaner(world.store, {
    signal: new AbortController().signal,
    onFailure: (_, error) => expect.fail(String(error)),
  });
  cleaner.sweep();
  await cleaner.idle();
  expect(await listTailSegments(world.store)).toEqual([world.segmentAt(second)]);
});

test("a volume that was rolled back is noticed, and stops it before anything is written", async () => {
  const copy = mkdtempSync(join(tmpdir(), "soar-rollback-"));
  await world.cluster.stop();
  // With owners: the server's user is another one where the test runs as root.
  execFileSync("cp", ["-a", world.cluster.dataDir, join(copy, "data")]);
  await world.cluster.start();
  const stop = world.startShipper();
  for (let n = 0; n < 20; n += 1) await world.commit();
  const lsn = await world.commit();
  await world.shippedTo(lsn);
  await stop();
  await world.cluster.stop();
  rmSync(world.cluster.dataDir, { recursive: true });
  execFileSync("cp", ["-a", join(copy, "data"), world.cluster.dataDir]);
  rmSync(copy, { recursive: true });
  await world.cluster.start();
  const before = await listTailPieces(world.store, world.segmentAt(lsn));
  world.events.length = 0;
  world.startShipper();
  await expect
    .poll(() => world.events.find(({ type }) => type === "tail-stopped"), { timeout: 20_000 })
    .toMatchObject({ error: { code: "WAL_CONFLICT", hint: expect.stringContaining("rolled back") as string } });
  // Also when it has grown beyond the old end meanwhile: the bytes differ then.
  for (let n = 0; n < 60; n += 1) await world.commit();
  world.events.length = 0;
  world.startShipper({ synchronous: true });
  await expect
    .poll(() => world.events.find(({ type }) => type === "tail-stopped"), { timeout: 20_000 })
    .toMatchObject({ error: { code: "WAL_CONFLICT" } });
  // Nor was any of the other history's commits confirmed by what the bucket has in their place.
  const start = lsn - (lsn % BigInt(SEGMENT_SIZE));
  expect(world.events.filter((event) => event.type === "tail-confirmed" && event.lsn > start)).toEqual([]);
  expect(await listTailPieces(world.store, world.segmentAt(lsn))).toEqual(before);
});

test("another cluster's server is refused", async () => {
  world.startShipper({ cluster: { ...world.identity, systemIdentifier: "7000000000000000000" } });
  await expect
    .poll(() => world.events.find(({ type }) => type === "tail-stopped"))
    .toMatchObject({ error: { code: "REPOSITORY_FOREIGN" } });
});
