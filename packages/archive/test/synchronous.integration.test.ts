import { postgresMajors, type TestCluster, type TestClusterOptions } from "@soar-tooling/postgres-clusters";
import { startProxy } from "@soar-tooling/test-bench";
import { formatLsn, parseLsn } from "@soar/pg-tools";
import { listTailPieces } from "@soar/repository/tail";
import type { ObjectStore } from "@soar/storage";
import { describe, expect, test } from "vitest";
import { createTailWorld, flushLsn, SEGMENT_SIZE, stallTail, type TailWorld } from "./tail-world.fixture.ts";

const installations = postgresMajors();
const oldestAndNewest = [installations.at(0), installations.at(-1)].flatMap((one) => (one === undefined ? [] : [one]));

/** COMMIT waits from here on, until a shipper confirms it. */
async function createSynchronousWorld(options: Partial<TestClusterOptions> = {}): Promise<TailWorld> {
  const world = await createTailWorld(options);
  await world.cluster.configure({ synchronous_standby_names: "soar" });
  await expect
    .poll(() => world.cluster.query("show synchronous_standby_names"))
    .toEqual([{ synchronous_standby_names: "soar" }]);
  return world;
}

/** Begins to commit a row; tells whether COMMIT has returned. */
function beginCommit(cluster: TestCluster): { readonly isDone: boolean; readonly done: Promise<unknown> } {
  let isDone = false;
  const done = cluster.query("insert into t values (1)").then(() => (isDone = true));
  return {
    get isDone() {
      return isDone;
    },
    done,
  };
}

const waiting = (cluster: TestCluster): Promise<unknown[]> =>
  cluster.query("select 1 from pg_stat_activity where wait_event = 'SyncRep'");
const receiver = async (cluster: TestCluster) => {
  const rows = await cluster.query<{
    write: string | null;
    flush: string | null;
    replay: string | null;
    state: string;
  }>(
    "select write_lsn::text as write, flush_lsn::text as flush, replay_lsn::text as replay, sync_state as state from pg_stat_replication",
  );
  // From PostgreSQL 19 on with zeros.
  const plain = (text: string | null): string | null => text && formatLsn(parseLsn(text));
  return rows.map(({ write, flush, replay, state }) => ({
    write: plain(write),
    flush: plain(flush),
    replay: plain(replay),
    state,
  }));
};

async function waitsForBucket({ cluster }: TailWorld, commit: { readonly isDone: boolean }): Promise<void> {
  await expect.poll(() => waiting(cluster), { timeout: 20_000 }).toHaveLength(1);
  expect(commit.isDone).toBe(false);
}

describe.each(oldestAndNewest.map((installation) => [installation.major, installation] as const))(
  "PostgreSQL %i",
  (_, installation) => {
    test("COMMIT waits while the store stalls, and returns when the piece is in the bucket", async () => {
      await using world = await createSynchronousWorld({ installation });
      const { cluster, store } = world;
      const stalled = stallTail(store);
      world.startShipper({ store: stalled.store, synchronous: true });
      const commit = beginCommit(cluster);
      await expect.poll(() => stalled.waiting, { timeout: 20_000 }).toBeGreaterThan(0);
      await waitsForBucket(world, commit);
      stalled.release();
      await commit.done;
      for (let n = 0; n < 30; n += 1) {
        await cluster.query(n === 15 ? "select pg_switch_wal()" : "insert into t values (2)");
        // What was committed is there at this very moment, without waiting for anything.
        const lsn = parseLsn((await receiver(cluster))[0]?.flush ?? "");
        const pieces = await listTailPieces(store, world.segmentAt(lsn - 1n));
        expect(Math.max(...pieces.map(({ to }) => to))).toBeGreaterThanOrEqual(
          Number((lsn - 1n) % BigInt(SEGMENT_SIZE)),
        );
      }
      expect(world.events.filter(({ type }) => type === "tail-interrupted")).toEqual([]);
    });

    test("a position is reported at once on connecting and again on every keepalive, written as well as flushed", async () => {
      await using world = await createSynchronousWorld({ installation });
      const { cluster } = world;
      // Only what was reported on connecting is seen here: nothing can be shipped.
      world.startShipper({ store: stallTail(world.store).store, synchronous: true });
      const start = formatLsn(((await flushLsn(cluster)) / BigInt(SEGMENT_SIZE)) * BigInt(SEGMENT_SIZE));
      await expect
        .poll(() => receiver(cluster), { timeout: 20_000 })
        .toEqual([{ write: start, flush: start, replay: start, state: "sync" }]);
    });
  },
);

test("what is older and not archived holds commits back: nothing is promised behind a hole", async () => {
  await using world = await createSynchronousWorld();
  const { cluster } = world;
  const [first, second] = [
    world.segmentAt(await flushLsn(cluster)),
    world.segmentAt((await flushLsn(cluster)) + BigInt(SEGMENT_SIZE)),
  ];
  await cluster.query("select pg_switch_wal()");
  // Two more, so that the bucket's archive begins before the hole.
  await cluster.query("set synchronous_commit = local; insert into t values (0); select pg_switch_wal()");
  await world.archive([first]);
  let isQueueEmpty = false;
  const asked: string[] = [];
  const list: ObjectStore["list"] = (prefix, options) => {
    asked.push(prefix);
    return world.store.list(prefix, options);
  };
  const store = new Proxy(world.store, {
    get: (target, name) => (name === "list" ? list : Reflect.get(target, name, target)),
  });
  world.startShipper({ store, synchronous: true, isArchivedBefore: () => isQueueEmpty });
  await world.happened("tail-connected");
  const commit = beginCommit(cluster);
  await waitsForBucket(world, commit);
  expect(await receiver(cluster)).toMatchObject([{ flush: null, state: "async" }]);
  // The queue may be empty because PostgreSQL has not told of the segment before yet: the bucket has the last word.
  isQueueEmpty = true;
  await world.shippedTo(await flushLsn(cluster));
  await expect.poll(() => asked.filter((prefix) => prefix.startsWith(`wal/${second}`))).not.toEqual([]);
  await waitsForBucket(world, commit);
  await world.archive([second]);
  await commit.done;
});

test("commits go on after disconnects", async () => {
  await using world = await createSynchronousWorld();
  const { cluster } = world;
  const proxy = await startProxy({ target: cluster.connection });
  await using closing = new AsyncDisposableStack();
  closing.defer(() => proxy.close());
  world.startShipper({ synchronous: true, server: { ...cluster.connection, port: proxy.port } });
  await world.commit();
  for (let n = 0; n < 3; n += 1) {
    proxy.cutAll();
    await world.commit();
  }
  await proxy.stopListening();
  proxy.cutAll();
  const commit = beginCommit(cluster);
  await waitsForBucket(world, commit);
  await proxy.resumeListening();
  await commit.done;
  expect(world.events.filter(({ type }) => type === "tail-stopped")).toEqual([]);
});

test("remote_apply is refused", async () => {
  await using world = await createTailWorld({ settings: { synchronous_commit: "remote_apply" } });
  world.startShipper({ synchronous: true });
  expect(await world.happened("tail-interrupted")).toMatchObject({
    error: { code: "SERVER_UNSUITABLE", message: expect.stringContaining("remote_apply") as string },
  });
});
