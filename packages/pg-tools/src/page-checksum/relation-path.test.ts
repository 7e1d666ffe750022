import { expect, test } from "vitest";
import { parseRelationPath } from "./relation-path.ts";

test.each([
  ["base/5/16384", { tablespace: 1663, database: 5, fileNumber: 16384, fork: "main", segment: 0 }],
  ["base/5/16384.12", { tablespace: 1663, database: 5, fileNumber: 16384, fork: "main", segment: 12 }],
  ["base/5/16384_fsm", { tablespace: 1663, database: 5, fileNumber: 16384, fork: "fsm", segment: 0 }],
  ["global/1260_vm", { tablespace: 1664, database: 0, fileNumber: 1260, fork: "vm", segment: 0 }],
  [
    "pg_tblspc/16390/PG_15_202209061/5/16391_init.1",
    { tablespace: 16390, database: 5, fileNumber: 16391, fork: "init", segment: 1 },
  ],
])("%s is a file of pages", (path, expected) => {
  expect(parseRelationPath(path)).toEqual(expected);
});

test.each([
  "global/pg_control",
  "base/5/PG_VERSION",
  "base/5/pg_filenode.map",
  "base/5/t3_16384",
  "pg_wal/000000010000000000000001",
  "base/16384",
  "base/5/1/2",
  "base/5/16384.0",
  "base/5/16384_x",
])("%s is none", (path) => {
  expect(parseRelationPath(path)).toBeUndefined();
});
