import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findLinksThere } from "./links-there.ts";

test("links of old data are told with what becomes of that to which they lead", async () => {
  const root = mkdtempSync(join(tmpdir(), "soar-links-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const dataDir = join(root, "data");
  const at = (...names: string[]): string => join(root, ...names);
  for (const name of ["data/base/5", "data/pg_tblspc", "data/conf.d", "wal", "space", "other", "moved"])
    mkdirSync(at(name), { recursive: true });
  for (const name of ["key", "data/conf.d/own.conf"]) writeFileSync(at(name), "");
  for (const [path, target] of [
    ["pg_wal", at("wal")],
    ["pg_tblspc/16384", at("space")],
    ["pg_tblspc/16385", at("other")],
    ["base/7", at("moved")],
    ["server.key", "../key"],
    ["conf.d/linked.conf", at("key")],
    ["gone.crt", at("gone")],
    ["pg_xact", "pg_xact"],
    ["own.conf", "conf.d/own.conf"],
  ] as const)
    symlinkSync(target, join(dataDir, path));
  const options = { dataDir, tablespacePlaces: new Set([at("space")]) };
  const byPath = async (approach: Parameters<typeof findLinksThere>[0]) =>
    Object.fromEntries(
      (await findLinksThere(approach, options)).map(({ path, target, becomes }) => [path, [becomes, target]]),
    );
  const stays = {
    "pg_tblspc/16385": ["left", at("other")],
    "base/7": ["left", at("moved")],
    "server.key": ["linked", at("key")],
    "conf.d/linked.conf": ["linked", at("key")],
    "gone.crt": ["nowhere", at("gone")],
    pg_xact: ["nowhere", at("data", "pg_xact")],
  };
  expect(await byPath({ kind: "replace", systemIdentifier: undefined, running: undefined })).toEqual({
    ...stays,
    pg_wal: ["kept", at("wal")],
    "pg_tblspc/16384": ["kept", at("space")],
  });
  expect(await byPath({ kind: "refill", earlier: undefined, ownData: true })).toEqual({
    ...stays,
    pg_wal: ["filled", at("wal")],
    "pg_tblspc/16384": ["filled", at("space")],
  });
  expect(await byPath({ kind: "fill" })).toEqual({});
  expect(await byPath({ kind: "refill", earlier: undefined, ownData: false })).toEqual({});
});
