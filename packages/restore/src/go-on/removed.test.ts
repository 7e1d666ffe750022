import { expect, test } from "vitest";
import { Removed } from "./removed.ts";

const GEOMETRY = { postgresMajor: 18, blockSize: 8192, blocksPerRelationFile: 10 };
const FILE = { tablespace: 1663, database: 5, fileNumber: 16_384 };
const removed = new Removed(
  {
    relations: [
      { ...FILE, isDropped: false, leftBlocks: { main: 12, vm: 32_673, fsm: 12 } },
      { ...FILE, fileNumber: 16_385, isDropped: true, leftBlocks: { main: Infinity, vm: Infinity, fsm: Infinity } },
      { ...FILE, fileNumber: 16_386, isDropped: false, leftBlocks: { main: Infinity, vm: 0, fsm: Infinity } },
    ],
    databases: [
      { tablespace: 1663, database: 7 },
      { tablespace: 16_400, database: 5 },
    ],
    states: [
      { kind: "xact", beforePage: 64 },
      { kind: "offsets", beforeMulti: 5 },
    ],
  },
  GEOMETRY,
);

test.each([
  // What lies before the end that was left is there, in each of its files.
  ["base/5/16384", 12],
  ["base/5/16384.1", 2],
  ["base/5/16384.2", 0],
  ["base/5/16384_vm", 2],
  ["base/5/16384_fsm", 0],
  ["base/5/16384_init", Infinity],
  // A map that was cut off says nothing of its relation.
  ["base/5/16386", Infinity],
  ["base/5/16386_vm", 0],
  ["base/5/16386_fsm", Infinity],
  ["base/5/16385", 0],
  ["base/5/16385_init", 0],
  ["base/5/16387", Infinity],
  ["base/6/16384", Infinity],
  ["base/7/1259", 0],
  ["base/7/PG_VERSION", 0],
  ["base/5/PG_VERSION", Infinity],
  ["pg_tblspc/16400/PG_15_202209061/5/16384", 0],
  ["pg_tblspc/16401/PG_15_202209061/5/16384", Infinity],
  ["global/1260", Infinity],
  // Of transactions, only what lies before the page that is kept.
  ["pg_xact/0001", 0],
  ["pg_xact/0002", Infinity],
  ["pg_multixact/offsets/0000", Infinity],
  ["pg_multixact/members/0000", Infinity],
  ["pg_commit_ts/0001", Infinity],
])("blocks of %s that WAL has left: %s", (name, blocks) => {
  expect(removed.leftBlocks(name)).toBe(blocks);
});

test("nothing was removed", () => {
  expect(Removed.nothing(GEOMETRY).leftBlocks("base/5/16384")).toBe(Infinity);
});
