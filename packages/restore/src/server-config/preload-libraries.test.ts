import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { findPreloadLibraries } from "./preload-libraries.ts";

const prefix = mkdtempSync(join(tmpdir(), "soar-libraries-"));
const binDir = join(prefix, "bin");
for (const directory of ["bin", "lib/pgxs", "lib/postgresql", "own, of us", "elsewhere"])
  mkdirSync(join(prefix, directory), { recursive: true });
for (const name of ["lib/pg_stat_statements.so", "lib/postgresql/auto_explain.so", "own.so", "own, of us/x.so"])
  writeFileSync(join(prefix, name), "");
writeFileSync(join(prefix, "elsewhere/pg_cron.so"), "");
afterAll(() => rmSync(prefix, { recursive: true }));

test("preloaded libraries that this host does not have are told from those it has", async () => {
  const found = await findPreloadLibraries(
    {
      shared_preload_libraries: ` pg_stat_statements, "timescaledb",$libdir/auto_explain,auto_explain.so,${prefix}/own.so,/nowhere/other, Auto_Explain,"${prefix}/own, of us/x",pgxs, pg_cron, $libdir/pg_cron, postgresql/auto_explain`,
    },
    binDir,
  );
  expect(found).toEqual({
    present: [
      "pg_stat_statements",
      "$libdir/auto_explain",
      "auto_explain.so",
      `${prefix}/own.so`,
      `${prefix}/own, of us/x`,
    ],
    missing: [
      "timescaledb",
      "/nowhere/other",
      "Auto_Explain",
      "pgxs",
      "pg_cron",
      "$libdir/pg_cron",
      "postgresql/auto_explain",
    ],
  });
  expect(await findPreloadLibraries({ shared_preload_libraries: "" }, binDir)).toEqual({ present: [], missing: [] });
});

test("a preloaded library is looked for where the source did", async () => {
  const settings = (path: string) => ({ shared_preload_libraries: "pg_cron,auto_explain", dynamic_library_path: path });
  expect(await findPreloadLibraries(settings(`${prefix}/elsewhere:$libdir`), binDir)).toMatchObject({ missing: [] });
  expect(await findPreloadLibraries(settings(`${prefix}/elsewhere`), binDir)).toMatchObject({
    missing: ["auto_explain"],
  });
});
