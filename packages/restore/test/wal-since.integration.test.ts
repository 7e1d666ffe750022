import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseLsn } from "@soar/pg-tools";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { readRemoved, type WalPlace } from "../src/go-on/wal-since.ts";

// What WAL has removed, where pg_wal of the server does not have all of that WAL any more.

let cluster: TestCluster;
/** Segments in their order, and positions: before anything was dropped, between two tables, and behind. */
const names: string[] = [];
const positions: bigint[] = [];
const files: string[] = [];
beforeAll(async () => {
  cluster = await createTestCluster({ installation: requireInstallation("pg_ctl"), initdbArgs: ["--wal-segsize=1"] });
  for (const table of ["one", "two"]) {
    await cluster.query(`CREATE TABLE ${table} (n int)`);
    const [row] = await cluster.query<{ path: string }>(`SELECT pg_relation_filepath('${table}') AS path`);
    files.push(row?.path ?? "");
  }
  for (const table of ["one", "two", undefined]) {
    await cluster.query("DO $$ BEGIN PERFORM pg_switch_wal(); END $$");
    await cluster.query("CREATE TABLE another (n int); DROP TABLE another");
    const [row] = await cluster.query<{ lsn: string; name: string }>(
      "SELECT lsn::text, pg_walfile_name(lsn) AS name FROM pg_current_wal_insert_lsn() AS lsn",
    );
    names.push(row?.name ?? "");
    positions.push(parseLsn(row?.lsn ?? ""));
    if (table !== undefined) await cluster.query(`DROP TABLE ${table}`);
  }
});
afterAll(() => cluster.remove());

let store: ObjectStore;
let dataDir: string;
beforeEach(async () => {
  store = createMemoryStore();
  dataDir = mkdtempSync(join(tmpdir(), "soar-since-"));
  mkdirSync(join(dataDir, "pg_wal"));
  for (const name of names.slice(0, 2)) await store.put(`wal/${name}`, readFileSync(pathOf(name)));
  return () => rmSync(dataDir, { recursive: true });
});

const pathOf = (name: string): string => join(cluster.dataDir, "pg_wal", name);
const SEGMENT_SIZE = 2 ** 20;

/** Of which of the two tables WAL since the first position has left nothing; undefined where that cannot be told. */
async function gone(more: Partial<WalPlace>): Promise<boolean[] | undefined> {
  const [from = 0n, between = 0n] = positions;
  const firstIndex = Number(from / BigInt(SEGMENT_SIZE));
  const removed = await readRemoved(
    {
      store,
      dataDir,
      segmentSize: SEGMENT_SIZE,
      geometry: { postgresMajor: cluster.installation.major, blockSize: 8192, blocksPerRelationFile: 131_072 },
      table: {
        format: 1,
        timeline: 1,
        systemIdentifier: "1",
        segmentSize: SEGMENT_SIZE,
        firstIndex,
        segments: names.slice(0, 2).map((name) => ({ name, key: `wal/${name}`, size: SEGMENT_SIZE })),
      },
      isRecovering: true,
      targetLsn: between,
      knownEndLsn: between,
      isArchived: false,
      ...more,
    },
    from,
  );
  return removed === undefined ? undefined : files.map((file) => removed.leftBlocks(file) === 0);
}

test("what was replayed is read from the repository, up to the target", async () => {
  expect(await gone({})).toEqual([true, false]);
  await store.remove([`wal/${names[1] ?? ""}`]);
  expect(await gone({})).toBeUndefined();
  expect(await gone({ table: undefined })).toBeUndefined();
});

test("what a server has written since is read there only where it archives there", async () => {
  copyFileSync(pathOf(names[2] ?? ""), join(dataDir, "pg_wal", names[2] ?? ""));
  const [from = 0n, , end = 0n] = positions;
  const own = { isRecovering: false, targetLsn: from, knownEndLsn: end };
  expect(await gone({ ...own, isArchived: true })).toEqual([true, true]);
  expect(await gone(own)).toBeUndefined();
  // A segment in between is gone, and so is what it would tell.
  copyFileSync(pathOf(names[0] ?? ""), join(dataDir, "pg_wal", names[0] ?? ""));
  expect(await gone(own)).toBeUndefined();
  copyFileSync(pathOf(names[1] ?? ""), join(dataDir, "pg_wal", names[1] ?? ""));
  expect(await gone(own)).toEqual([true, true]);
  // It is known to have written more.
  expect(await gone({ ...own, knownEndLsn: end + 0x1000_0000n })).toBeUndefined();
});

const whole = (name: string): Buffer => readFileSync(pathOf(name));
const damaged = (name: string, from: number): Buffer => whole(name).fill(0x77, from, from + 8192);

test.each<[string, (name: string) => Buffer]>([
  ["is empty", () => Buffer.alloc(0)],
  ["is too short", (name) => whole(name).subarray(0, 100_000)],
  ["begins as no WAL does", (name) => damaged(name, 0)],
  ["is damaged in its midst", (name) => damaged(name, 1024)],
])(
  "a segment of pg_wal that %s is read from the repository, and where that lacks it nobody can tell",
  async (_, make) => {
    for (const at of [0, 1]) {
      const name = names[at] ?? "";
      writeFileSync(join(dataDir, "pg_wal", name), make(name));
      expect(await gone({}), name).toEqual([true, false]);
      await store.remove([`wal/${name}`]);
      expect(await gone({}), name).toBeUndefined();
      await store.put(`wal/${name}`, whole(name));
      rmSync(join(dataDir, "pg_wal", name));
    }
  },
);

test("what is stored of a segment, and is none, tells nothing", async () => {
  await store.put(`wal/${names[0] ?? ""}`, whole(names[0] ?? "").subarray(0, 10));
  await store.remove([`wal/${names[1] ?? ""}`]);
  const [from = 0n] = positions;
  expect(await gone({ targetLsn: from })).toBeUndefined();
});

test("a file of pg_wal whose name is that of no segment of this size tells nothing", async () => {
  writeFileSync(join(dataDir, "pg_wal", "0000000100000000FFFFFFFF"), "");
  expect(await gone({ isRecovering: false, knownEndLsn: 0n })).toBeUndefined();
  expect(await gone({})).toEqual([true, false]);
});
