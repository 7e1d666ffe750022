import { describe, expect, test } from "vitest";
import { fateOf, relationOfFile, type RescueScope } from "./rescue-scope.ts";

const database: RescueScope = { kind: "database", oid: 16_384 };
const relations: RescueScope = { kind: "relations", oid: 16_384, fileNumbers: new Set([20_000]) };
const cluster: RescueScope = { kind: "cluster" };

describe("what a rescue fetches", () => {
  test.each<[string, string, string, string]>([
    ["global/1262", "fetch", "fetch", "fetch"],
    ["global/pg_control", "fetch", "fetch", "fetch"],
    ["pg_xact/0000", "fetch", "fetch", "fetch"],
    ["backup_label", "fetch", "fetch", "fetch"],
    ["base/16384/20000", "fetch", "fetch", "fetch"],
    ["base/16384/20000_vm", "fetch", "fetch", "fetch"],
    ["base/16384/20000.1", "fetch", "fetch", "fetch"],
    ["base/16384/20001", "placeholder", "fetch", "fetch"],
    ["base/16384/20001_fsm", "placeholder", "fetch", "fetch"],
    ["base/16384/1259", "fetch", "fetch", "fetch"],
    ["base/16384/pg_filenode.map", "fetch", "fetch", "fetch"],
    ["base/16384/2613", "placeholder", "fetch", "fetch"],
    ["base/5/1259", "placeholder", "placeholder", "fetch"],
    ["base/5/pg_filenode.map", "placeholder", "placeholder", "fetch"],
    ["PG_15_202209061/16384/20000", "fetch", "fetch", "fetch"],
    ["PG_15_202209061/5/20000", "placeholder", "placeholder", "fetch"],
    ["postgresql.conf", "omit", "omit", "omit"],
    ["postgresql.auto.conf", "omit", "omit", "omit"],
    ["standby.signal", "omit", "omit", "omit"],
    ["log/postgresql.log", "omit", "omit", "omit"],
    ["pg_replslot/slot/state", "omit", "omit", "omit"],
    ["pg_stat/pgstat.stat", "omit", "omit", "omit"],
  ])("%s: for tables %s, for a database %s, for the cluster %s", (path, forTables, forDatabase, forCluster) => {
    expect([relations, database, cluster].map((scope) => fateOf(path, "file", scope))).toEqual([
      forTables,
      forDatabase,
      forCluster,
    ]);
  });

  test.each(["base", "base/5", "pg_wal", "pg_wal/archive_status", "pg_tblspc", "pg_replslot", "pg_logical/snapshots"])(
    "the directory %s is made, whatever lies in it",
    (path) => {
      expect(fateOf(path, "directory", relations)).toBe("fetch");
    },
  );

  test("links of tablespaces are not followed to the source's directories", () => {
    expect(fateOf("pg_tblspc/16400", "symlink", cluster)).toBe("omit");
  });
});

test.each([
  ["base/16384/20000", "base/16384/20000"],
  ["base/16384/20000_vm.3", "base/16384/20000"],
  ["base/16384/20000.12", "base/16384/20000"],
  ["pg_tblspc/16400/PG_15_202209061/5/7_init", "pg_tblspc/16400/PG_15_202209061/5/7"],
])("%s belongs to %s", (path, relation) => {
  expect(relationOfFile(path)).toBe(relation);
});
