import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requires, serverUser } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, test } from "vitest";
import { examine, type Examination } from "./examination.ts";
import { examineDrillQueries } from "./examine-drill-queries.ts";
import type { DrillQueries } from "./program-settings.ts";

const user = process.getuid?.() === 0 ? serverUser() : undefined;

let directory: string;
let sqlFile: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-queries-"));
  if (user !== undefined) chownSync(directory, user.uid, user.gid);
  sqlFile = join(directory, "drill.sql");
});
afterEach(() => rmSync(directory, { recursive: true }));

async function look(queries: Partial<DrillQueries>): Promise<Examination | undefined> {
  const all = { sqlFile: undefined, command: undefined, ...queries };
  const [seen] = await examine("drill", (notes) =>
    examineDrillQueries(all, notes, { user, searchPath: "", signal: undefined }),
  );
  return seen;
}

const failing = (what: RegExp) => ({
  kind: "drill-queries",
  severity: "warning",
  what: expect.stringMatching(what) as string,
  advice: expect.stringContaining("BACKUP_DRILL_SQL") as string,
});

test("drills without queries and without a command prove little", async () => {
  expect(await look({})).toMatchObject({ kind: "drill-queries-unset", severity: "notice" });
  expect(await look({ command: "cargo test" })).toMatchObject({ kind: "drill-queries", severity: "ok" });
});

test("a file of queries that a drill can read is well", async () => {
  writeFileSync(sqlFile, "-- expect: 42\nSELECT 42;\n", { mode: 0o644 });
  expect(await look({ sqlFile })).toMatchObject({ kind: "drill-queries", severity: "ok" });
});

test("a file of queries that is not there, is a directory, or is not understood", async () => {
  expect(await look({ sqlFile })).toMatchObject(failing(/every drill fails before .*there is no file '.*drill\.sql'/));
  expect(await look({ sqlFile, command: "cargo test" })).toMatchObject(failing(/there is no file/));
  mkdirSync(sqlFile);
  expect(await look({ sqlFile })).toMatchObject(failing(/a directory has this name/));
  rmSync(sqlFile, { recursive: true });
  for (const [text, reason] of [
    ["", /no query/],
    ["SELECT 42;\n", /line 1: nothing is said/],
    ["-- expect: 42\nSELECT 42\n", /does not end/],
  ] as const) {
    writeFileSync(sqlFile, text);
    expect(await look({ sqlFile })).toMatchObject(failing(reason));
  }
});

test("a file of queries that only root may read", requires("root"), async () => {
  writeFileSync(sqlFile, "-- expect: 42\nSELECT 42;\n", { mode: 0o600 });
  expect(await look({ sqlFile })).toMatchObject(failing(/may not read/));
});
