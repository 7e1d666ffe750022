import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { backupKey } from "@soar/repository";
import { createMemoryStore } from "@soar/storage";
import { putSampleBackup } from "@soar-tooling/sample-repository";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readSavedConfig } from "./saved-config.ts";

const MIB = 2 ** 20;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "soar-saved-config-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What a restore reads of a backup whose `server-config.tar.gz` is this, recorded as what it is. */
async function read(packed: Buffer): Promise<Map<string, Buffer>> {
  const sample = await putSampleBackup(createMemoryStore(), { label: "2025-02-01", first: 1 });
  const sha256 = createHash("sha256").update(packed).digest("hex");
  const record = {
    ...sample,
    settings: { ...sample.settings, config_file: `/${CONFIG_FILE}`, hba_file: `/${HBA_FILE}` },
    objects: [{ name: "server-config.tar.gz", size: packed.length, sha256 }],
  };
  const store = createMemoryStore();
  await store.put(backupKey(record.label, "server-config.tar.gz"), packed);
  return await readSavedConfig(store, record, {});
}

const CONFIG_FILE = "etc/postgresql/15/main/postgresql.conf";
const HBA_FILE = `etc/${"long/".repeat(25)}pg_hba.conf`;
const FILES = {
  [CONFIG_FILE]: "port = 5433\nInclude_Dir 'conf.d'\n",
  "etc/postgresql/15/main/conf.d/empty.conf": "",
  [HBA_FILE]: "local all all peer\n".repeat(60_000),
};

test.each(["ustar", "pax", "gnu"])("is what tar packed, in the format %s", async (format) => {
  for (const [path, content] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  const packed = execFileSync("tar", [`--format=${format}`, "-cz", "-C", folder, "etc"], { maxBuffer: 64 * MIB });
  const found = await read(packed);
  expect(found).toEqual(new Map(Object.entries(FILES).map(([path, content]) => [`/${path}`, Buffer.from(content)])));
});

test("is refused when a few packed megabytes are gigabytes plain, before they fill the memory", async () => {
  const member = gzipSync(Buffer.alloc(64 * MIB), { level: 9 });
  const bomb = Buffer.concat(Array.from({ length: 96 }, () => member));
  expect(bomb.length).toBeLessThan(8 * MIB);
  const before = process.resourceUsage().maxRSS;
  await expect(read(bomb)).rejects.toMatchObject({
    code: "REPOSITORY_DAMAGED",
    message: "unable to read 'server-config.tar.gz' of backup '2025-02-01': it has more than 67108864 bytes unpacked",
  });
  expect((process.resourceUsage().maxRSS - before) / 1024).toBeLessThan(300);
});

test.each([
  ["no gzip", Buffer.from("port = 5433\n"), /it is no gzip/],
  ["cut off", gzipSync(Buffer.alloc(2048)).subarray(0, -9), /it is no gzip/],
  ["no tar", gzipSync(Buffer.alloc(1024, 1)), /unable to read a tar header/],
  ["a tar without its end", gzipSync(Buffer.alloc(512)), /it ends before its closing blocks/],
])("is damage when it is %s", async (_what, packed, fact) => {
  await expect(read(packed)).rejects.toMatchObject({
    code: "REPOSITORY_DAMAGED",
    message: expect.stringMatching(fact) as string,
  });
});

test("only what the server reads as its configuration counts: files that the record names, and what these include", async () => {
  const strangers = {
    "etc/cron.d/evil.conf": "x",
    "etc/postgresql/15/main/not-included.conf": "x",
    "etc/postgresql/15/main/conf.d/no-suffix": "x",
    "etc/postgresql/15/main/conf.d/deeper/x.conf": "x",
  };
  const included = {
    "etc/postgresql/15/main/conf.d/a.conf": "include_if_exists = '../shared.conf'",
    "etc/postgresql/15/main/shared.conf": "include \"shared.conf\"\n# include 'not-included.conf'\n",
  };
  for (const [path, content] of Object.entries({ ...FILES, ...strangers, ...included })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  const found = await read(execFileSync("tar", ["-cz", "-C", folder, "etc"], { maxBuffer: 64 * MIB }));
  expect([...found.keys()].sort()).toEqual(
    [...Object.keys(FILES), ...Object.keys(included)].map((path) => `/${path}`).sort(),
  );
});
