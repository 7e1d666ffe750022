import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseWalSegment } from "@soar/pg-tools";
import { findDamagedPages } from "@soar/pg-tools/page-checksum";
import { listBackupRecords } from "@soar/repository";
import { listTimelineSegments, type WalObject } from "@soar/repository/wal";
import { readObject } from "@soar/storage";
import { type PostgresInstallation, postgresMajors, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filesSource } from "../src/index.ts";
import { createBackupWorld, type BackupWorld } from "./backup-world.ts";
import { differencesOf } from "./compare-with-disk.ts";
import { delivered, takeIncremental } from "./take-incremental.ts";

const incremental = { fullEveryMs: 365 * 86_400_000 };

/** Runs statements one by one, those that begin with `@name` in that database. */
async function runAll(cluster: TestCluster, statements: readonly string[], database?: string): Promise<void> {
  for (const statement of statements) {
    const [, other, sql] = /^@(\w+) (.*)$/s.exec(statement) ?? [];
    await cluster.query(sql ?? statement, [], other ?? database);
  }
}

/** Larger than a chunk, so that parts of each are left unread. */
const TABLES = [
  "create table quiet as select n, repeat(md5(n::text), 8) as text from generate_series(1, 40000) n",
  "create table busy as select n, repeat(md5(n::text), 8) as text from generate_series(1, 40000) n",
  "create index on busy (n)",
  // Its metapage caches places without a word in WAL.
  "create index on busy using spgist (text)",
  "vacuum freeze quiet",
  "vacuum busy",
];

/** What changes files in ways of its own. Each group is followed by an incremental. */
const WORKLOADS: readonly (readonly [string, readonly string[]])[] = [
  [
    "rows, bits of the visibility map and the ends of files",
    [
      "update busy set text = 'x' || text where n between 20000 and 20100",
      "vacuum busy",
      "delete from busy where n % 1000 = 7",
      "delete from busy where n > 30000",
      "vacuum (truncate) busy",
      // What was cut off grows again.
      "insert into busy select n, repeat('new', 80) from generate_series(30001, 39000) n",
      "begin; update quiet set text = 'p' where n between 5 and 50; prepare transaction 'p'",
      "commit prepared 'p'",
      "select lo_from_bytea(0, repeat('z', 3000000)::bytea)",
      "select lo_unlink(min(oid)) from pg_largeobject_metadata",
    ],
  ],
  [
    "files and databases that are made, copied and moved",
    [
      "vacuum full busy",
      "create index on busy using hash (text)",
      "alter table busy set tablespace extra",
      "create database copied template filled strategy file_copy",
      "create database logged template filled strategy wal_log",
      "alter database filled set tablespace extra",
      "create unlogged table light as select n, repeat(md5(n::text), 8) as text from generate_series(1, 10000) n",
      "alter table light set logged",
    ],
  ],
  [
    "what takes the place of what there was",
    [
      "drop database copied",
      "create database copied template logged strategy file_copy",
      "drop database logged",
      // Moved away, changed there, and moved back: the files have the names that they had.
      "alter database filled set tablespace pg_default",
      "@filled update quiet set text = 'elsewhere' where n % 100 = 3",
      "alter database filled set tablespace extra",
      "truncate busy",
      "insert into busy select n, repeat('again', 50) from generate_series(1, 30000) n",
    ],
  ],
];

/** From PostgreSQL 19 on. Both give the table other files; concurrently what changes meanwhile comes by logical decoding. */
const REPACKED: (typeof WORKLOADS)[number] = [
  "tables that are written anew",
  [
    "alter table busy add primary key (n)",
    "update busy set text = 'repacked' where n % 50 = 3",
    "repack busy",
    "update busy set text = 'and again' where n % 50 = 4",
    "repack (concurrently) busy",
    "update busy set text = 'behind it' where n % 500 = 5",
  ],
];

interface Chain {
  readonly world: BackupWorld;
  /** Of the next backup. */
  label(): string;
}

async function beginChain(installation: PostgresInstallation, initdbArgs?: readonly string[]): Promise<Chain> {
  const world = await createBackupWorld({
    installation,
    settings: { autovacuum: "off", max_prepared_transactions: 5 },
    ...(initdbArgs === undefined ? {} : { initdbArgs }),
  });
  await runAll(world.cluster, TABLES);
  await world.take({ label: "2025-01-01", source: filesSource(world.cluster.connection) });
  let next = 2;
  return { world, label: () => `2025-01-${String(next++).padStart(2, "0")}` };
}

describe.each(postgresMajors())("an incremental of PostgreSQL $version from files", (installation) => {
  let chain: Chain;
  beforeAll(async () => {
    chain = await beginChain(installation);
    const { cluster } = chain.world;
    await cluster.query(`create tablespace extra location '${cluster.tablespaceDir("extra")}'`);
    await cluster.query("create database filled");
    await runAll(cluster, TABLES, "filled");
    await chain.world.take({ label: chain.label(), source: filesSource(cluster.connection) });
  }, 120_000);
  afterAll(() => chain.world[Symbol.asyncDispose]());

  const workloads = installation.major < 19 ? WORKLOADS : [...WORKLOADS, REPACKED];
  test.each(workloads)("reads all of %s, and leaves the rest unread", { timeout: 120_000 }, async (_, statements) => {
    const { world, label } = chain;
    await runAll(world.cluster, statements);
    await delivered(world);
    await world.cluster.query("checkpoint");
    const { record, told } = await takeIncremental(world, label());
    // All that is left unread was compared with what is on the disk.
    expect(told).toMatchObject([{ type: "changes-known" }, { type: "left-unread" }]);
    expect(told[0]).toMatchObject({ compared: expect.toSatisfy((chunks: number) => chunks >= 10) as number });
    expect(told[1]).toMatchObject({ bytes: expect.toSatisfy((bytes: number) => bytes > 10 * 2 ** 20) as number });
    expect(record.sizes.unread).toBe(told[1]?.type === "left-unread" ? told[1].bytes : undefined);
    expect(await differencesOf(world, record)).toEqual([]);
  });
});

describe("an incremental from files", () => {
  const [installation] = postgresMajors();
  let chain: Chain;
  beforeAll(async () => {
    chain = await beginChain(requireFirst(installation));
  }, 120_000);
  afterAll(() => chain.world[Symbol.asyncDispose]());

  test("stores no more than one that reads everything", async () => {
    const { world, label } = chain;
    await world.cluster.query("update quiet set text = 'r' where n = 17");
    const sent = await world.take({ label: label(), incremental });
    await world.cluster.query("update quiet set text = 'f' where n = 17");
    const { record } = await takeIncremental(world, label(), { compareShare: 0 });
    expect(record.sizes.new).toBeLessThan(sent.sizes.new * 1.5);
    expect(record.sizes.stored).toBeLessThan(sent.sizes.stored * 1.01);
  });
  test("reads everything when a segment is missing or its words are damaged, and says so", async () => {
    const { world, label } = chain;
    for (const [damage, reason] of [
      [() => undefined, /is not in the bucket/],
      [damagedChanges, /changed blocks .* are damaged/],
    ] as const) {
      await world.cluster.query("update quiet set text = text || 'm' where n = 18");
      const [victim] = await segmentsSince(world);
      if (victim === undefined) throw new Error("there is a segment since the last backup");
      const bytes = await readObject(world.store, victim.key);
      const bad = damage(bytes);
      await world.store.remove([victim.key]);
      if (bad !== undefined) await world.store.put(victim.key, bad);
      const { told } = await takeIncremental(world, label(), { compareShare: 0 });
      await world.store.remove([victim.key]);
      await world.store.put(victim.key, bytes);
      expect(told).toMatchObject([{ type: "changes-unknown", reason: expect.stringMatching(reason) as string }]);
    }
  });

  test.each<[string, (page: Buffer) => Buffer, boolean]>([
    // What the server wrote without a word: the backup keeps what it had.
    ["hint bits that no WAL tells of", (page) => hinted(page, 301), false],
    // Cut off and grown again, or lost: it is read to be judged.
    ["a page that holds nothing any more", (page) => Buffer.alloc(page.length), true],
  ])("raises no alarm for %s", async (_, change, isRead) => {
    const { world, label } = chain;
    const [row] = await world.cluster.query<{ path: string }>("select pg_relation_filepath('quiet') as path");
    await world.cluster.query("checkpoint");
    const path = join(world.cluster.dataDir, row?.path ?? "");
    const before = await readFile(path);
    const at = 301 * 8192;
    await writeFile(
      path,
      Buffer.concat([before.subarray(0, at), change(before.subarray(at, at + 8192)), before.subarray(at + 8192)]),
    );
    const { record, told } = await takeIncremental(world, label());
    expect(told).toMatchObject([{ type: "changes-known" }, { type: "left-unread" }]);
    const differences = await differencesOf(world, record);
    expect(differences).toEqual(isRead ? [] : [row?.path]);
    await writeFile(path, before);
    // The next ones are based on what is there again.
    await world.take({ label: label(), source: filesSource(world.cluster.connection) });
  });

  test("reads everything when a block changed of which no WAL tells, and names it", async () => {
    const { world, label } = chain;
    const [row] = await world.cluster.query<{ path: string }>("select pg_relation_filepath('quiet') as path");
    await world.cluster.query("checkpoint");
    const path = join(world.cluster.dataDir, row?.path ?? "");
    const before = await readFile(path);
    const changed = Buffer.from(before);
    changed.writeUInt8(changed.readUInt8(300 * 8192 + 8000) ^ 1, 300 * 8192 + 8000);
    await writeFile(path, changed);
    const { record, told } = await takeIncremental(world, label());
    await writeFile(path, before);
    expect(told).toEqual([{ type: "changes-wrong", base: expect.any(String) as string, path: row?.path, block: 300 }]);
    // It was read, and judged as every page is that is read.
    expect(record.damagedPages).toEqual([{ path: row?.path, detail: "blocks 300" }]);
    // And is read again until it is whole.
    const { record: later } = await takeIncremental(world, label(), { compareShare: 0 });
    expect(later.damagedPages).toEqual([]);
    expect(await differencesOf(world, later)).toEqual([]);
  });
});

function requireFirst(installation: PostgresInstallation | undefined): PostgresInstallation {
  if (installation === undefined) throw new Error("a server is needed");
  return installation;
}

/** A page in which something changed at the same position, with the checksum that belongs to it: as hint bits do. */
function hinted(page: Buffer, firstBlock: number): Buffer {
  const changed = Buffer.from(page);
  changed.writeUInt8(changed.readUInt8(8000) ^ 1, 8000);
  const [damaged] = findDamagedPages(changed, { blockSize: 8192, firstBlock, changedBefore: 2n ** 64n - 1n });
  changed.writeUInt16LE(damaged?.expected ?? 0, 8);
  return changed;
}

/** Segments that were archived since the newest backup began, oldest first. */
async function segmentsSince({ store }: BackupWorld): Promise<WalObject[]> {
  const newest = (await listBackupRecords(store)).toSorted((a, b) => (a.label < b.label ? 1 : -1))[0];
  if (newest === undefined) throw new Error("there is a backup");
  const { walSegmentSize: segmentSize, firstSegment, timeline } = newest;
  const { index } = parseWalSegment(firstSegment, segmentSize);
  const { segments } = await listTimelineSegments(store, timeline, segmentSize, { fromIndex: index });
  return [...segments].toSorted(([a], [b]) => a - b).flatMap(([, objects]) => objects);
}

/** The stored form of a segment with one byte of its changed blocks flipped. */
function damagedChanges(stored: Buffer): Buffer {
  const at = stored.indexOf(Buffer.from([0x5b, 0x2a, 0x4d, 0x18]), stored.length - 4096);
  const copy = Buffer.from(stored);
  copy.writeUInt8(copy.readUInt8(at + 14) ^ 1, at + 14);
  return copy;
}
