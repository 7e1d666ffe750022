import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createTestCluster, postgresMajors, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseLsn } from "../wal-names/lsn.ts";
import { createRawRecord, type RawRecord } from "../wal-records/raw-record.ts";
import { createRemovalScanner, RemovalCollector } from "./removal-scanner.ts";

describe.each(postgresMajors())("what the WAL of PostgreSQL $version removes", (installation) => {
  let cluster: TestCluster;
  beforeAll(
    async () => void (cluster = await createTestCluster({ installation, settings: { max_prepared_transactions: 2 } })),
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
    scanner.push(await readFile(join(cluster.dataDir, "pg_wal", position?.name ?? "")));
    const { relations, databases, transactions } = scanner.finish();
    for (const name of ["dropped", "emptied", "shortened", "prepared"])
      expect(relations, name).toContainEqual(files.get(name));
    for (const name of ["kept", "earlier"]) expect(relations, name).not.toContainEqual(files.get(name));
    expect(databases).toEqual([{ tablespace: 1663, database: gone?.oid }]);
    expect(transactions).toBe(false);
  });
});

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
const NOTHING = { relations: [], databases: [], transactions: false };

test.each([
  ["clog", 3, 0x10],
  ["multixact", 6, 0x30],
])("%s that nobody asks for any more", (_name, rmid, info) => {
  expect(removalsOf(record(rmid, info, mainData(1, 2)))).toEqual({ ...NOTHING, transactions: true });
  expect(removalsOf(record(rmid, 0, mainData(1, 2)))).toEqual(NOTHING);
});

test("a database goes from each of its tablespaces", () => {
  expect(removalsOf(record(4, 0x20, mainData(5, 2, 1663, 16400)))).toEqual({
    ...NOTHING,
    databases: [
      { tablespace: 1663, database: 5 },
      { tablespace: 16400, database: 5 },
    ],
  });
});

test.each([
  ["of no known form", record(2, 0x20, Buffer.from([99, 1, 2, 3]))],
  ["a truncation that is too short", record(2, 0x20, mainData(1, 1663))],
  ["a dropped database without a name", record(4, 0x20, mainData(5))],
  ["more tablespaces than there are", record(4, 0x20, mainData(5, 9))],
  ["less than none", record(4, 0x20, mainData(5, 0xffff_ffff))],
])("a record removes nothing that is known: %s", (_name, wrong) => {
  expect(removalsOf(wrong)).toEqual(NOTHING);
});
