import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { isRoot, type Owner } from "@soar/durable-files";
import { backupKey, type BackupRecord } from "@soar/repository";
import { createMemoryStore } from "@soar/storage";
import { sampleRecord } from "@soar-tooling/sample-repository";
import { requires } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lineDifference } from "../in-place/line-difference.ts";
import {
  compareServerConfig,
  type ConfigComparison,
  type ConfigPlaces,
  putServerConfig,
  requireConfigPlaces,
} from "./config-difference.ts";

const OWNER: Owner = isRoot()
  ? { uid: 65534, gid: 65534 }
  : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const PLACES: ConfigPlaces = { owner: OWNER, systemEnv: {} };

let root: string;
let dataDir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "soar-difference-"));
  dataDir = inRoot("data");
  for (const name of ["data", "theirs", "roots"]) mkdirSync(inRoot(name));
  for (const name of ["data", "theirs"]) if (isRoot()) chownSync(inRoot(name), OWNER.uid, OWNER.gid);
});
afterEach(() => rmSync(root, { recursive: true }));

const inRoot = (name: string): string => join(root, name);

/** What `--with-config` does with a backup that saved these files, by their places. */
async function compare(
  files: Readonly<Record<string, string | Buffer>>,
  settings: Readonly<Record<string, string>>,
): Promise<ConfigComparison> {
  const [store, packing] = [createMemoryStore(), inRoot("packing")];
  for (const [name, content] of Object.entries(files)) {
    const path = join(packing, root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  const packed = execFileSync("tar", ["-cz", "-C", packing, root.slice(1)]);
  rmSync(packing, { recursive: true });
  const record = sampleRecord({});
  const backup: BackupRecord = {
    ...record,
    settings: Object.fromEntries(Object.entries(settings).map(([name, path]) => [name, inRoot(path)])),
    source: { ...record.source, dataDirectory: dataDir },
    objects: [
      {
        name: "server-config.tar.gz",
        size: packed.length,
        sha256: createHash("sha256").update(packed).digest("hex"),
      },
    ],
  };
  await store.put(backupKey(record.label, "server-config.tar.gz"), packed);
  return await compareServerConfig(store, backup, PLACES);
}

/** Of a server with its configuration in a directory of its own, as on Debian. */
const ELSEWHERE = { config_file: "theirs/postgresql.conf", hba_file: "theirs/pg_hba.conf" };
const elsewhere = (rule: string, line = ""): Readonly<Record<string, string>> => ({
  "theirs/postgresql.conf": `port = 5433\n${line}`,
  "theirs/pg_hba.conf": rule,
});

test("a list of users comes back with its very bytes, and one that differs in such bytes only is told and put back", async () => {
  const list = Buffer.from("caf\xe9\n", "latin1");
  const files = { ...elsewhere("local all @users.txt peer\n"), "theirs/users.txt": list };
  writeFileSync(inRoot("theirs/users.txt"), Buffer.from("caf\xe8\n", "latin1"));
  const { differences } = await compare(files, ELSEWHERE);
  await putServerConfig(differences, { ...PLACES, now: new Date(0) });
  expect(readFileSync(inRoot("theirs/users.txt"))).toEqual(list);
  const { present, saved } = differences.find(({ path }) => path.endsWith("users.txt")) ?? {};
  expect(lineDifference(present ?? Buffer.alloc(0), saved ?? Buffer.alloc(0))).toEqual(["-caf\\xe8", "+caf\\xe9"]);
  expect(await compare(files, ELSEWHERE)).toEqual({ differences: [], leftOut: [] });
});

describe("in a directory of somebody else", requires("root"), () => {
  test.each([
    ["roots/users.txt", undefined],
    ["roots/new/users.txt", "roots/new"],
  ])("a list is left out with how it gets there, and all else is put back: %s", async (name, made) => {
    const files = { ...elsewhere(`local all @${inRoot(name)} peer\n`), [name]: "alice\n" };
    const { differences, leftOut } = await compare(files, ELSEWHERE);
    await requireConfigPlaces(differences, PLACES);
    await putServerConfig(differences, { ...PLACES, now: new Date(0) });
    expect(readFileSync(inRoot("theirs/pg_hba.conf"), "utf8")).toContain(inRoot(name));
    expect(existsSync(inRoot(name))).toBe(false);
    expect(leftOut).toEqual([
      expect.stringMatching(
        /users\.txt' is not put back, because '.*roots' belongs to user 0 .*lets nobody in, .*'server-config\.tar\.gz' of backup/,
      ),
    ]);
    // Nobody is told to give away a directory that is there.
    if (made === undefined) expect(leftOut[0]).not.toContain("install");
    else expect(leftOut[0]).toContain(`install -d -o 65534 -g 65534 ${inRoot(made)} and`);
  });

  test("what is there is used", async () => {
    writeFileSync(inRoot("roots/own.conf"), "work_mem = '5MB'\n");
    const files = { ...elsewhere("", `include '${inRoot("roots/own.conf")}'\n`), "roots/own.conf": "" };
    const { differences, leftOut } = await compare(files, ELSEWHERE);
    await requireConfigPlaces(differences, PLACES);
    expect(leftOut).toEqual([expect.stringContaining("own.conf' is not put back")]);
    expect(leftOut[0]).toContain("the server uses what is there");
  });

  test("what the server does not start without ends the restore before anything is changed", async () => {
    const files = { ...elsewhere("", `include '${inRoot("roots/own.conf")}'\n`), "roots/own.conf": "" };
    const { differences, leftOut } = await compare(files, ELSEWHERE);
    expect(leftOut).toEqual([]);
    await expect(requireConfigPlaces(differences, PLACES)).rejects.toMatchObject({
      code: "FILE_UNWRITABLE",
      hint: expect.stringContaining("put the file there yourself") as string,
    });
  });

  test("nothing is said of what comes into the data directory instead", async () => {
    const list = inRoot("roots/users.txt");
    const files = {
      "data/postgresql.conf": `include '${inRoot("roots/own.conf")}'\n`,
      "data/pg_hba.conf": `local all @${list} peer\n`,
      "roots/users.txt": "alice\n",
      "roots/own.conf": "",
    };
    const settings = { config_file: "data/postgresql.conf", hba_file: "data/pg_hba.conf" };
    expect(await compare(files, settings)).toEqual({ differences: [], leftOut: [] });
  });
});
