import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { findPreloadLibraries } from "./preload-libraries.ts";

const prefix = mkdtempSync(join(tmpdir(), "soar-libraries-"));
const binDir = join(prefix, "bin");
afterAll(() => rmSync(prefix, { recursive: true }));

test("preloaded libraries that this host does not have are told from those it has", async () => {
  for (const directory of ["bin", "lib", "lib/postgresql"]) mkdirSync(join(prefix, directory));
  writeFileSync(join(prefix, "lib/pg_stat_statements.so"), "");
  writeFileSync(join(prefix, "lib/postgresql/auto_explain.so"), "");
  writeFileSync(join(prefix, "own.so"), "");
  expect(
    await findPreloadLibraries(
      ` pg_stat_statements, "timescaledb",$libdir/auto_explain,${prefix}/own.so,/nowhere/other`,
      binDir,
    ),
  ).toEqual({
    present: ["pg_stat_statements", "$libdir/auto_explain", `${prefix}/own.so`],
    missing: ["timescaledb", "/nowhere/other"],
  });
  expect(await findPreloadLibraries("", binDir)).toEqual({ present: [], missing: [] });
});
