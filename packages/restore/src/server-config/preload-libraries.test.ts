import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { postgresMajors } from "@soar-tooling/postgres-clusters";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findPreloadLibraries } from "./preload-libraries.ts";

let prefix: string;
let binDir: string;
beforeEach(() => {
  prefix = mkdtempSync(join(tmpdir(), "soar-libraries-"));
  binDir = join(prefix, "bin");
  put("bin/postgres");
});
afterEach(() => rmSync(prefix, { recursive: true }));

function put(name: string, content = ""): void {
  mkdirSync(dirname(join(prefix, name)), { recursive: true });
  writeFileSync(join(prefix, name), content);
}

function putProgram(name: string, ...lines: readonly string[]): void {
  put(name, `${["#!/bin/sh", ...lines].join("\n")}\n`);
  chmodSync(join(prefix, name), 0o755);
}

/** Every server has the first. */
function putLibraries(directory: string, ...names: readonly string[]): void {
  for (const name of ["libpqwalreceiver", ...names]) put(`${directory}/${name}.so`);
}

const find = (libraries: string, path?: string) =>
  findPreloadLibraries(
    {
      shared_preload_libraries: libraries,
      ...(path === undefined ? {} : { dynamic_library_path: path }),
    },
    binDir,
  );

test("preloaded libraries that this host does not have are told from those it has", async () => {
  putLibraries("lib", "pg_stat_statements", "auto_explain");
  put("lib/pgxs/src/makefiles/pgxs.mk");
  put("own.so");
  put("own, of us/x.so");
  put("elsewhere/pg_cron.so");
  const found = await find(
    ` pg_stat_statements, "timescaledb",$libdir/auto_explain,auto_explain.so,${prefix}/own.so,/nowhere/other, Auto_Explain,"${prefix}/own, of us/x",pgxs, pg_cron, $libdir/pg_cron, postgresql/auto_explain`,
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
    unknown: [],
  });
  expect(await find("")).toEqual({ present: [], missing: [], unknown: [] });
});

test("a preloaded library is looked for where the source did", async () => {
  putLibraries("lib", "auto_explain");
  put("elsewhere/pg_cron.so");
  expect(await find("pg_cron,auto_explain", `${prefix}/elsewhere:$libdir`)).toMatchObject({ missing: [] });
  expect(await find("pg_cron,auto_explain", `${prefix}/elsewhere`)).toMatchObject({ missing: ["auto_explain"] });
});

test.each(["lib", "lib64", "lib64/pgsql", "lib/postgresql"])(
  "they are looked for where packages have them, and not in libraries of the system: %s",
  async (directory) => {
    for (const place of ["lib", "lib64", "lib64/pgsql", "lib/postgresql"]) put(`${place}/auto_explain.so`);
    putLibraries(directory, "pg_stat_statements");
    expect(await find("pg_stat_statements,$libdir/pg_cron")).toEqual({
      present: ["pg_stat_statements"],
      missing: ["$libdir/pg_cron"],
      unknown: [],
    });
  },
);

test("what pg_config says of its server counts, unless it is that of another one; also where a link leads to the programs", async () => {
  putLibraries("opt/modules", "pg_cron");
  putLibraries("lib", "auto_explain");
  putProgram("bin/pg_config", `[ "$1" = --pkglibdir ] && echo '${prefix}/opt/modules'`);
  expect(await find("pg_cron,auto_explain")).toMatchObject({ present: ["pg_cron"], missing: ["auto_explain"] });
  mkdirSync(join(prefix, "links"));
  symlinkSync(join(binDir, "postgres"), join(prefix, "links/postgres"));
  binDir = join(prefix, "links");
  expect(await find("pg_cron")).toMatchObject({ present: ["pg_cron"] });
  for (const line of [`echo '${prefix}/gone'`, "exit 1", "echo"]) {
    putProgram("bin/pg_config", line);
    expect(await find("pg_cron,auto_explain"), line).toMatchObject({ present: ["auto_explain"], missing: ["pg_cron"] });
  }
});

test("nothing is said of libraries where it is not known where the server keeps them", async () => {
  put("own.so");
  expect(await find(`auto_explain, $libdir/pg_cron, ${prefix}/own, ${prefix}/gone`)).toEqual({
    present: [`${prefix}/own`],
    missing: [`${prefix}/gone`],
    unknown: ["auto_explain", "$libdir/pg_cron"],
  });
});

test.each(postgresMajors())("those of PostgreSQL $version are found", async (installation) => {
  expect(await findPreloadLibraries({ shared_preload_libraries: "pgoutput,soar_none" }, installation.binDir)).toEqual({
    present: ["pgoutput"],
    missing: ["soar_none"],
    unknown: [],
  });
});
