import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { completeSegments, WAL_LOAD_SETTINGS, writeVariedWal } from "../../test/wal-load.ts";
import { summarizeWalSegment } from "../wal-records/wal-segment-summary.ts";
import { ChangedBlocks } from "./changed-blocks.ts";
import { ChangeCollector } from "./collect-changes.ts";

/** Every kind of access method and of change to files that the server has. */
const CHANGES = [
  "CREATE TABLE shapes (id serial PRIMARY KEY, words text[], box box, at timestamptz, note text)",
  "INSERT INTO shapes (words, box, at, note) SELECT ARRAY[md5(g::text), 'w' || g % 7], box(point(g, g), point(g + 1, g + 1)), to_timestamp(g), repeat('x', g % 300) FROM generate_series(1, 20000) g",
  "CREATE INDEX ON shapes USING hash (note)",
  "CREATE INDEX ON shapes USING gin (words)",
  "CREATE INDEX ON shapes USING gist (box)",
  "CREATE INDEX ON shapes USING spgist (box)",
  "CREATE INDEX ON shapes USING brin (at)",
  "CREATE UNLOGGED TABLE light AS SELECT g FROM generate_series(1, 5000) g",
  "ALTER TABLE light SET LOGGED",
  "CHECKPOINT",
  "UPDATE shapes SET note = 'y' || note WHERE id % 3 = 0",
  "DELETE FROM shapes WHERE id > 15000 OR id % 11 = 0",
  "VACUUM shapes",
  "VACUUM FULL shapes",
  "CLUSTER shapes USING shapes_pkey",
] as const;

/** Changes to files that were made before. */
const LATER = [
  "SELECT lo_from_bytea(0, repeat('z', 100000)::bytea)",
  "TRUNCATE light",
  "INSERT INTO shapes (words, note) SELECT ARRAY[g::text], 'late' FROM generate_series(1, 20000) g",
  "DELETE FROM shapes WHERE note = 'late'",
  "VACUUM shapes",
  "CREATE DATABASE copied TEMPLATE template0 STRATEGY file_copy",
  "CREATE DATABASE logged TEMPLATE template0 STRATEGY wal_log",
  "DROP DATABASE copied",
] as const;

interface Expected {
  readonly units: Set<string>;
  readonly newFrom: Map<string, number>;
  readonly databases: Set<string>;
}

/** What `pg_waldump` says that these segments change. */
async function readDump(cluster: TestCluster, names: readonly string[]): Promise<Expected> {
  const range = ["-p", `${cluster.dataDir}/pg_wal`, names[0] ?? "", names.at(-1) ?? ""];
  const { stdout } = await cluster.runProgram("pg_waldump", range);
  const [units, newFrom, databases] = [new Set<string>(), new Map<string, number>(), new Set<string>()];
  for (const line of stdout.split("\n")) {
    for (const [, relation, fork, block] of line.matchAll(
      /blkref #\d+: rel (\d+\/\d+\/\d+)(?: (?:fork|forknum) (\w+))? blk (\d+)/g,
    ))
      if (fork === undefined || fork === "main") units.add(`${relation} ${Math.floor(Number(block) / 16)}`);
    const created = /desc: CREATE (?:base\/(\d+)|(global))\/(\d+)(?!_)\s*$/.exec(line.trimEnd());
    if (line.includes("rmgr: Storage") && created !== null)
      newFrom.set(created[2] === undefined ? `1663/${created[1]}/${created[3]}` : `1664/0/${created[3]}`, 0);
    const cut = /desc: TRUNCATE base\/(\d+)\/(\d+) to (\d+) blocks flags (\d+)/.exec(line);
    if (cut !== null && (Number(cut[4]) & 1) === 1) {
      const relation = `1663/${cut[1]}/${cut[2]}`;
      newFrom.set(relation, Math.min(newFrom.get(relation) ?? Infinity, Number(cut[3])));
    }
    const database =
      /desc: (?:CREATE_FILE_COPY copy dir \d+\/\d+ to|CREATE_WAL_LOG create dir|DROP dir) (\d+\/\d+)/.exec(line);
    if (database?.[1] !== undefined) databases.add(database[1]);
  }
  return { units, newFrom, databases };
}

describe("what WAL changes, beside what pg_waldump says", () => {
  let cluster: TestCluster;
  let names: readonly string[];
  let later: readonly string[];
  beforeAll(async () => {
    cluster = await createTestCluster({ installation: requireInstallation(), settings: WAL_LOAD_SETTINGS });
    await writeVariedWal(cluster);
    for (const statement of CHANGES) await cluster.query(statement);
    const before = await completeSegments(cluster);
    for (const statement of LATER) await cluster.query(statement);
    names = await completeSegments(cluster);
    later = names.filter((name) => !before.includes(name));
  }, 120_000);
  afterAll(() => cluster.remove());

  const unite = async (segments: readonly string[]): Promise<ChangedBlocks> => {
    const united = new ChangedBlocks();
    for (const name of segments) {
      const bytes = await readFile(join(cluster.dataDir, "pg_wal", name));
      const observer = new ChangeCollector();
      summarizeWalSegment(bytes, { name, observer });
      const { changes } = observer;
      if (changes === undefined) throw new Error("the segment was read");
      united.add(changes, name);
    }
    return united;
  };

  /** Units of relations for which the two do not say the same. */
  const compare = (united: ChangedBlocks, expected: Expected): string[] => {
    const relations = new Set([...expected.units].map((unit) => unit.split(" ")[0] ?? ""));
    const wrong: string[] = [];
    for (const relation of new Set([...relations, ...expected.newFrom.keys()])) {
      const [tablespace = 0, database = 0, fileNumber = 0] = relation.split("/").map(Number);
      if (expected.databases.has(`${tablespace}/${database}`)) continue;
      const newFrom = expected.newFrom.get(relation) ?? Infinity;
      for (let unit = 0; unit < 400; unit++) {
        const changed = united.mayHaveChanged({ tablespace, database, fileNumber }, unit * 16, unit * 16 + 16);
        const isExpected = expected.units.has(`${relation} ${unit}`) || unit * 16 + 16 > newFrom;
        if (changed !== isExpected) wrong.push(`${relation} unit ${unit}: ${changed}`);
      }
    }
    for (const each of expected.databases) {
      const [tablespace = 0, database = 0] = each.split("/").map(Number);
      if (!united.mayHaveChanged({ tablespace, database, fileNumber: 1 }, 0, 1)) wrong.push(`database ${each}`);
    }
    return wrong;
  };

  test("is every block, cut and database, and nothing else", async () => {
    const united = await unite(names);
    expect(united.doubt).toBeUndefined();
    const expected = await readDump(cluster, names);
    expect(expected.units.size).toBeGreaterThan(500);
    expect(expected.databases.size).toBeGreaterThan(1);
    expect(compare(united, expected)).toEqual([]);
  });

  test("is what was cut off of a file that was there before", async () => {
    const expected = await readDump(cluster, later);
    expect(Math.max(...expected.newFrom.values())).toBeGreaterThan(0);
    expect(compare(await unite(later), expected)).toEqual([]);
  });
});
