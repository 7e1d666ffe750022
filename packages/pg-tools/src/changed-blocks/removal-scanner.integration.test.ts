import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createTestCluster, postgresMajors, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { segmentsOf } from "../../test/wal-load.ts";
import { parseLsn } from "../wal-names/lsn.ts";
import { createRawRecord, type RawRecord } from "../wal-records/raw-record.ts";
import { createRemovalScanner, RemovalCollector } from "./removal-scanner.ts";
import { isRemovedBy, parseStateFile } from "./state-removals.ts";

describe.each(postgresMajors())("what the WAL of PostgreSQL $version removes", (installation) => {
  let cluster: TestCluster;
  beforeAll(
    async () =>
      void (cluster = await createTestCluster({
        installation,
        settings: { max_prepared_transactions: 2, wal_keep_size: "1GB", autovacuum: false },
      })),
  );
  afterAll(() => cluster.remove());

  interface File {
    readonly tablespace: number;
    readonly database: number;
    readonly fileNumber: number;
  }

  async function fileOf(name: string): Promise<File> {
    const [row] = await cluster.query<{ database: number; file: number }>(
      `SELECT oid::int AS database, pg_relation_filenode('${name}')::int AS file FROM pg_database WHERE datname = current_database()`,
    );
    return { tablespace: 1663, database: row?.database ?? 0, fileNumber: row?.file ?? 0 };
  }

  test("dropped and truncated tables, and databases, from a position on", async () => {
    for (const name of ["kept", "earlier", "dropped", "emptied", "shortened", "prepared"])
      await cluster.query(`CREATE TABLE ${name} AS SELECT n FROM generate_series(1, 5000) AS n`);
    await cluster.query("CREATE DATABASE gone");
    const [gone] = await cluster.query<{ oid: number }>("SELECT oid::int FROM pg_database WHERE datname = 'gone'");
    const files = new Map<string, File>();
    for (const name of ["kept", "earlier", "dropped", "emptied", "shortened", "prepared"])
      files.set(name, await fileOf(name));
    await cluster.query("DROP TABLE earlier");
    const [position] = await cluster.query<{ lsn: string; name: string }>(
      "SELECT lsn::text, pg_walfile_name(lsn) AS name FROM pg_current_wal_insert_lsn() AS lsn",
    );
    await cluster.query("BEGIN; SAVEPOINT one; INSERT INTO kept VALUES (1); RELEASE one; DROP TABLE dropped; COMMIT");
    await cluster.query("TRUNCATE emptied");
    await cluster.query("DELETE FROM shortened WHERE n > 10");
    await cluster.query("VACUUM shortened");
    await cluster.query("BEGIN; DROP TABLE prepared; PREPARE TRANSACTION 'later'");
    await cluster.query("COMMIT PREPARED 'later'");
    await cluster.query("DROP DATABASE gone");
    await cluster.query("CHECKPOINT");
    const scanner = createRemovalScanner({ name: position?.name ?? "", from: parseLsn(position?.lsn ?? "") });
    const bytes = await readFile(join(cluster.dataDir, "pg_wal", position?.name ?? ""));
    scanner.push(bytes);
    expect(scanner.hasEnded).toBe(true);
    expect(scanner.validEndLsn).toBeGreaterThan(parseLsn(position?.lsn ?? ""));
    const { relations, databases, states } = scanner.finish();
    for (const name of ["dropped", "emptied", "prepared"])
      expect(relations, name).toContainEqual({ ...files.get(name), isDropped: true, leftBlocks: UNTOUCHED });
    expect(relations).toContainEqual({
      ...files.get("shortened"),
      isDropped: false,
      // Ten rows fill less than a page.
      leftBlocks: { main: 1, vm: 1, fsm: 1 },
    });
    for (const name of ["kept", "earlier"])
      expect(relations, name).not.toContainEqual(expect.objectContaining(files.get(name) ?? {}));
    expect(databases).toEqual([{ tablespace: 1663, database: gone?.oid }]);
    expect(states).toEqual([]);
    const [from, name] = [parseLsn(position?.lsn ?? ""), position?.name ?? ""];
    const nothing = createRemovalScanner({ name, from, until: from });
    expect(nothing.hasEnded).toBe(false);
    nothing.push(bytes);
    expect(nothing.finish()).toEqual(NOTHING);
  });

  test("of multixacts, the files that are gone", async () => {
    await cluster.query("CREATE TABLE locked AS SELECT n FROM generate_series(1, 40000) AS n");
    await cluster.query("CREATE INDEX ON locked (n)");
    // Two members for each row: a transaction, and a part of it.
    await cluster.query(
      `DO $$ BEGIN
         PERFORM FROM locked FOR KEY SHARE;
         FOR at IN 1..40000 LOOP
           BEGIN PERFORM FROM locked WHERE n = at FOR NO KEY UPDATE; EXCEPTION WHEN division_by_zero THEN NULL; END;
         END LOOP;
       END $$`,
    );
    await cluster.query("CHECKPOINT");
    const listed = await stateFiles(cluster);
    const [position] = await cluster.query<{ lsn: string; name: string }>(
      "SELECT lsn::text, pg_walfile_name(lsn) AS name FROM pg_current_wal_insert_lsn() AS lsn",
    );
    await cluster.query("ALTER DATABASE template0 ALLOW_CONNECTIONS true");
    for (const database of ["template0", "template1", "postgres"]) await cluster.query("VACUUM FREEZE", [], database);
    const left = await stateFiles(cluster);
    const scanner = createRemovalScanner({ name: position?.name ?? "", from: parseLsn(position?.lsn ?? "") });
    for (const name of (await segmentsOf(cluster)).filter((one) => one >= (position?.name ?? "")))
      scanner.push(await readFile(join(cluster.dataDir, "pg_wal", name)));
    const { states } = scanner.finish();
    const geometry = { blockSize: 8192, pgMajor: installation.major };
    const stays = (name: string): boolean => {
      const file = parseStateFile(name, geometry);
      return !states.some((removal) => file !== undefined && isRemovedBy(file, removal));
    };
    expect(listed.length).toBeGreaterThan(left.length);
    expect(left).toEqual(listed.filter(stays));
  });
});

async function stateFiles({ dataDir }: TestCluster): Promise<string[]> {
  const folders = ["pg_multixact/offsets", "pg_multixact/members"];
  const names = await Promise.all(
    folders.map(async (folder) => (await readdir(join(dataDir, folder))).map((name) => `${folder}/${name}`)),
  );
  return names.flat().toSorted();
}

const record = (rmid: number, info: number, body: Buffer): RawRecord => ({
  ...createRawRecord(),
  rmid,
  info,
  body: new DataView(body.buffer, body.byteOffset, body.length),
  bodyTo: body.length,
  bodyLength: body.length,
});
const mainData = (...values: readonly number[]): Buffer =>
  Buffer.concat([Buffer.from([255, values.length * 4]), Buffer.from(Uint32Array.from(values).buffer)]);
const removalsOf = (...records: readonly RawRecord[]) => {
  const collector = new RemovalCollector();
  for (const one of records) collector.add(one);
  return collector.removals;
};
const NOTHING = { relations: [], databases: [], states: [] };
const UNTOUCHED = { main: Infinity, vm: Infinity, fsm: Infinity };

test.each([
  ["pages of transactions, of 4 bytes", 3, 0x10, [7, 2, 5], [{ kind: "xact", beforePage: 7 }]],
  ["pages of transactions, of 8 bytes", 3, 0x10, [7, 0, 2, 5], [{ kind: "xact", beforePage: 7 }]],
  ["pages of times of commit, of 4 bytes", 18, 0x10, [7, 2], [{ kind: "commit-ts", beforePage: 7 }]],
  ["pages of times of commit, of 8 bytes", 18, 0x10, [7, 0, 2], [{ kind: "commit-ts", beforePage: 7 }]],
  [
    "multixacts",
    6,
    0x30,
    [5, 1, 90, 10, 40],
    [
      { kind: "offsets", beforeMulti: 90 },
      { kind: "members", from: 10, to: 40 },
    ],
  ],
  [
    "multixacts of PostgreSQL 19",
    6,
    0x30,
    [5, 90, 40, 1],
    [
      { kind: "offsets", beforeMulti: 90 },
      { kind: "members", beforeMember: 2 ** 32 + 40 },
    ],
  ],
])("%s that nobody asks for any more", (_name, rmid, info, data, states) => {
  expect(removalsOf(record(rmid, info, mainData(...data)))).toEqual({ ...NOTHING, states });
  expect(removalsOf(record(rmid, 0x00, mainData(...data)))).toEqual(NOTHING);
  expect(removalsOf(record(rmid, info, mainData(1)))).toEqual(NOTHING);
});

const FILE = { tablespace: 1663, database: 5, fileNumber: 16_384 };
const truncation = (blocks: number, flags: number): RawRecord =>
  record(2, 0x20, mainData(blocks, FILE.tablespace, FILE.database, FILE.fileNumber, flags));

test("the fewest blocks that a relation had count, of each fork that was cut off", () => {
  expect(removalsOf(truncation(9, 1), truncation(3, 3), truncation(5, 7)).relations).toEqual([
    { ...FILE, isDropped: false, leftBlocks: { main: 3, vm: 3, fsm: 5 } },
  ]);
  // pg_truncate_visibility_map().
  expect(removalsOf(truncation(0, 2)).relations).toEqual([
    { ...FILE, isDropped: false, leftBlocks: { ...UNTOUCHED, vm: 0 } },
  ]);
});

test("a database goes from each of its tablespaces, and from where a copy of files comes to", () => {
  expect(removalsOf(record(4, 0x20, mainData(5, 2, 1663, 16400)))).toEqual({
    ...NOTHING,
    databases: [
      { tablespace: 1663, database: 5 },
      { tablespace: 16400, database: 5 },
    ],
  });
  expect(removalsOf(record(4, 0x00, mainData(5, 16400, 1, 1663)))).toEqual({
    ...NOTHING,
    databases: [{ tablespace: 16400, database: 5 }],
  });
  // Made of WAL: nothing is removed.
  expect(removalsOf(record(4, 0x10, mainData(5, 16400)))).toEqual(NOTHING);
});

test.each([
  ["of no known form", record(2, 0x20, Buffer.from([99, 1, 2, 3]))],
  ["a truncation that is too short", record(2, 0x20, mainData(1, 1663, 5, 16_384))],
  ["a dropped database without a name", record(4, 0x20, mainData(5))],
  ["more tablespaces than there are", record(4, 0x20, mainData(5, 9))],
  ["less than none", record(4, 0x20, mainData(5, 0xffff_ffff))],
])("a record removes nothing that is known: %s", (_name, wrong) => {
  expect(removalsOf(wrong)).toEqual(NOTHING);
});

test("a transaction that names relations and ends before them removes nothing that is known", () => {
  // When it was rolled back, that relations follow, and that there is one.
  const data = new DataView(Uint32Array.of(0, 0, 1 << 2, 1).buffer);
  expect(removalsOf({ ...createRawRecord(), rmid: 1, info: 0x20 | 0x80, data, dataLength: 16 })).toEqual(NOTHING);
});
