import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStore } from "@soar/storage";
import { sampleRecord } from "@soar-tooling/sample-repository";
import { afterEach, beforeEach, expect, test } from "vitest";
import { chooseConfigFile, findConfig } from "./config-choice.ts";

let folder: string;
let dataDir: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "soar-choice-"));
  dataDir = join(folder, "data");
  mkdirSync(dataDir, { mode: 0o700 });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Of which nothing that was saved can be read. */
function backupWith(settings: Readonly<Record<string, string>>) {
  const record = sampleRecord({});
  return { ...record, settings, source: { ...record.source, dataDirectory: dataDir } };
}

const put = (name: string, text: string): void => writeFileSync(join(dataDir, name), text);

test.each(["include_if_exists 'none.conf'", "include_if_exists '/opt/soar-test-none.conf'"])(
  "a file that need not be there keeps no data from being restored when nothing saved can be read: %s",
  async (line) => {
    put("postgresql.conf", `${line}\n`);
    put("postgresql.auto.conf", "");
    const backup = backupWith({ config_file: join(dataDir, "postgresql.conf") });
    const choose = () => chooseConfigFile(createMemoryStore(), backup, dataDir, { inPlace: true });
    expect(await choose()).toEqual({ configFile: undefined, settings: {}, brought: [] });
    put("postgresql.conf", line.replace("_if_exists", ""));
    await expect(choose()).rejects.toMatchObject({ code: "OBJECT_MISSING" });
  },
);

test.each([
  ["local all @/opt/soar-test-none peer", false],
  ["local all @list peer", false],
  ["include /opt/soar-test-none", true],
])("what came with the data may name what did not: %s", async (line, isFatal) => {
  for (const name of ["postgresql.conf", "postgresql.auto.conf"]) put(name, "");
  put("list", "@/opt/soar-test-none\n");
  put("pg_hba.conf", `${line}\n`);
  const own = { config_file: join(dataDir, "postgresql.conf"), hba_file: join(dataDir, "pg_hba.conf") };
  let asked = 0;
  const backup = backupWith(own);
  const looking = {
    ...backup,
    get objects() {
      asked += 1;
      return backup.objects;
    },
  };
  const choose = () => chooseConfigFile(createMemoryStore(), looking, dataDir, { inPlace: true });
  if (isFatal) await expect(choose()).rejects.toMatchObject({ code: "OBJECT_MISSING" });
  else expect(await choose()).toEqual({ configFile: undefined, settings: {}, brought: [] });
  expect(asked).not.toBe(0);
  asked = 0;
  put("pg_hba.conf", "local all @list peer # @/opt/soar-test-none\n");
  put("list", "alice\n");
  await choose();
  expect(asked).toBe(0);
});

test("a server that was stopped is started again with what lies there, whatever of it is missing", async () => {
  put("postgresql.conf", "include 'none.conf'\n");
  const own = { config_file: join(dataDir, "postgresql.conf"), hba_file: "/opt/soar-test-none" };
  const nothing = { configFile: undefined, settings: {}, brought: [] };
  expect(await findConfig(backupWith(own), dataDir)).toEqual(nothing);
  expect(readdirSync(dataDir)).toEqual(["postgresql.conf"]);
  expect(readFileSync(join(dataDir, "postgresql.conf"), "utf8")).toBe("include 'none.conf'\n");
  const elsewhere = join(folder, "postgresql.conf");
  const hba = join(folder, "pg_hba.conf");
  const settings = { config_file: elsewhere, hba_file: hba };
  expect(await findConfig(backupWith(settings), dataDir)).toEqual(nothing);
  for (const path of [elsewhere, hba]) writeFileSync(path, "");
  const there = { configFile: elsewhere, settings: { hba_file: hba }, brought: [] };
  // Also where another postgresql.conf lies in the data directory, unless a restore has put it there.
  expect(await findConfig(backupWith(settings), dataDir)).toEqual(there);
  rmSync(join(dataDir, "postgresql.conf"));
  expect(await findConfig(backupWith(settings), dataDir)).toEqual(there);
  put("postgresql.conf", "# soar: where this copy differs from the server that was backed up\n");
  expect(await findConfig(backupWith(settings), dataDir)).toEqual(nothing);
});
