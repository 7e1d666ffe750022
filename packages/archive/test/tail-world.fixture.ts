import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  createTestCluster,
  requireInstallation,
  type TestCluster,
  type TestClusterOptions,
} from "@soar-tooling/postgres-clusters";
import { formatWalSegment, parseLsn, segmentIndexOfLsn } from "@soar/pg-tools";
import type { ClusterIdentity } from "@soar/repository";
import { readTail } from "@soar/repository/tail";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { expect } from "vitest";
import { archiveWalFile } from "../src/archive-wal-file.ts";
import { readClusterIdentity } from "../src/cluster-identity.ts";
import { runTailShipper } from "../src/tail/run-tail-shipper.ts";
import type { TailOptions } from "../src/tail/tail-options.ts";
import type { TailEvent } from "../src/tail/tail-event.ts";

export const SEGMENT_SIZE = 2 ** 20;

export type ShipperOptions = Partial<
  Pick<TailOptions, "server" | "cluster" | "intervalMs" | "synchronous" | "isArchivedBefore" | "slot">
> & { readonly store?: ObjectStore };

/** A server with small segments and a bucket that its tail is shipped to; nothing archives unless a test does. */
export interface TailWorld {
  readonly cluster: TestCluster;
  readonly store: ObjectStore;
  readonly identity: ClusterIdentity;
  /** Of all shippers, in order. */
  readonly events: TailEvent[];
  /** Ships until the world ends or the returned function is called. */
  startShipper(options?: ShipperOptions): () => Promise<void>;
  /** Commits one row; gives the end of WAL afterwards. */
  commit(): Promise<bigint>;
  /** Until everything before this position is in `tail/`. */
  shippedTo(lsn: bigint): Promise<void>;
  happened(type: TailEvent["type"]): Promise<TailEvent | undefined>;
  segmentAt(lsn: bigint, timeline?: number): string;
  /** Archives finished segments and history files of a server's `pg_wal`, as its archiver would. */
  archive(names: readonly string[], from?: TestCluster): Promise<void>;
  /** The shipped tail at this position has the bytes of `pg_wal`. */
  expectTailIsWal(lsn: bigint, of?: { readonly cluster?: TestCluster; readonly timeline?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function createTailWorld(options: Partial<TestClusterOptions> = {}): Promise<TailWorld> {
  const settings = { autovacuum: "off", bgwriter_lru_maxpages: "0", ...options.settings };
  const cluster = await createTestCluster({
    installation: requireInstallation("pg_ctl"),
    initdbArgs: ["--wal-segsize=1"],
    archiveCommand: "true",
    ...options,
    settings,
  });
  await cluster.query("create table t (n int)");
  const store = createMemoryStore({ name: "tail" });
  const identity = await readClusterIdentity(join(cluster.dataDir, "pg_wal", "x"));
  const events: TailEvent[] = [];
  const stops: (() => Promise<void>)[] = [];
  const segmentAt = (lsn: bigint, timeline = 1): string =>
    formatWalSegment({ timeline, index: segmentIndexOfLsn(lsn, SEGMENT_SIZE) }, SEGMENT_SIZE);
  return {
    cluster,
    store,
    identity,
    events,
    startShipper(shipper = {}) {
      const controller = new AbortController();
      const running = runTailShipper(shipper.store ?? store, {
        server: cluster.connection,
        cluster: identity,
        intervalMs: 20,
        isArchivedBefore: () => true,
        ...shipper,
        signal: controller.signal,
        onEvent: (event) => events.push(event),
      });
      const stop = async (): Promise<void> => {
        controller.abort();
        await running;
      };
      stops.push(stop);
      return stop;
    },
    async commit() {
      await cluster.query("insert into t values (1)");
      return flushLsn(cluster);
    },
    async shippedTo(lsn) {
      const isShipped = (): boolean => events.some((event) => event.type === "tail-shipped" && event.endLsn >= lsn);
      // The failures are what a reader of a red test needs.
      await expect
        .poll(() => (isShipped() ? "shipped" : events.filter(({ type }) => type !== "tail-shipped")), {
          timeout: 20_000,
        })
        .toBe("shipped");
    },
    async happened(type) {
      await expect.poll(() => events.map((event) => event.type), { timeout: 20_000 }).toContain(type);
      return events.find((event) => event.type === type);
    },
    segmentAt,
    async archive(names, from = cluster) {
      for (const name of names)
        await archiveWalFile(store, join(from.dataDir, "pg_wal", name), name, {
          codec: "zstd",
          toolVersion: "test",
          now: new Date(),
        });
    },
    async expectTailIsWal(lsn, { cluster: of = cluster, timeline = 1 } = {}) {
      const tail = await readTail(store, segmentAt(lsn, timeline));
      const onDisk = readFileSync(join(of.dataDir, "pg_wal", segmentAt(lsn, timeline)));
      expect(tail?.bytes.length).toBeGreaterThanOrEqual(Number(lsn % BigInt(SEGMENT_SIZE)));
      expect(tail?.bytes.equals(onDisk.subarray(0, tail.bytes.length))).toBe(true);
    },
    async [Symbol.asyncDispose]() {
      for (const stop of stops) await stop();
      await cluster.remove();
    },
  };
}

export async function flushLsn(cluster: TestCluster): Promise<bigint> {
  const [row] = await cluster.query<{ lsn: string }>("select pg_current_wal_flush_lsn()::text as lsn");
  return parseLsn(row?.lsn ?? "");
}

/** A store whose puts under `tail/` wait until they are let go. */
export function stallTail(store: ObjectStore): {
  readonly store: ObjectStore;
  readonly waiting: number;
  release(): void;
} {
  const gate = Promise.withResolvers<void>();
  let waiting = 0;
  const put: ObjectStore["put"] = async (key, body, options) => {
    if (key.startsWith("tail/")) {
      waiting += 1;
      options?.signal?.throwIfAborted();
      const aborted = new Promise<never>((_, reject) =>
        options?.signal?.addEventListener("abort", () => reject(new Error("aborted"))),
      );
      await Promise.race([gate.promise, aborted]);
    }
    return store.put(key, body, options);
  };
  return {
    store: new Proxy(store, { get: (target, name) => (name === "put" ? put : Reflect.get(target, name, target)) }),
    get waiting() {
      return waiting;
    },
    release: () => gate.resolve(),
  };
}
