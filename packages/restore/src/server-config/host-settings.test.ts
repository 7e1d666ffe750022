import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresMajors } from "@soar-tooling/postgres-clusters";
import { sampleRecord } from "@soar-tooling/sample-repository";
import { serverUser } from "@soar-tooling/test-bench";
import { parseConfigSettings } from "@soar/pg-tools/recovery-config";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { foreseeChanged } from "./foresee-settings.ts";
import { readChanged, suitToHost } from "./host-settings.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "soar-host-"));
});
afterEach(() => rmSync(dataDir, { recursive: true }));

function put(name: string, text: string): void {
  writeFileSync(join(dataDir, name), text, { mode: 0o600 });
  for (const path of [dataDir, join(dataDir, name)]) chownSync(path, serverUser().uid, serverUser().gid);
  chmodSync(dataDir, 0o700);
}

const owner = process.getuid?.() === 0 ? serverUser() : undefined;

describe.each(postgresMajors())("on PostgreSQL $version", ({ binDir }) => {
  const suit = () => suitToHost({ dataDir, binDir, owner });
  const LACKED = [
    "log_min_messages = fatal",
    "TIMEZONE = 'Mars/Olympus Mons'",
    "Log_TimeZone = 'it''s none'",
    "lc_time = 'xx_XX.UTF-8'",
    "wal_compression = brotli",
    "max_stack_depth = 900GB",
    "lc_messages = 'xx_XX.UTF-8'",
    "lc_messages = 'C'",
    "port = 5433",
  ].join("\n");
  const CHANGED = [
    { name: "lc_time", value: "xx_XX.UTF-8", now: "C" },
    { name: "log_timezone", value: "it's none", now: "GMT" },
    { name: "max_stack_depth", value: "943718400", now: "2MB" },
    { name: "timezone", value: "Mars/Olympus Mons", now: "GMT" },
    { name: "wal_compression", value: "brotli", now: "off" },
  ];
  const byName = (one: { name: string }, other: { name: string }): number => one.name.localeCompare(other.name);

  test("what this host refuses gets a value that it takes, in whatever case it is named; nothing else is changed, also when it is done again", async () => {
    put("postgresql.conf", LACKED);
    put("postgresql.auto.conf", "work_mem = '5MB'");
    expect((await suit()).toSorted(byName)).toEqual(CHANGED);
    const text = readFileSync(join(dataDir, "postgresql.auto.conf"), "utf8");
    expect(await suit()).toEqual(await readChanged(dataDir));
    expect(readFileSync(join(dataDir, "postgresql.auto.conf"), "utf8")).toBe(text);
    expect(parseConfigSettings(text)).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: "work_mem", value: "5MB" })]),
    );
    // Another one that is lacked later joins them.
    put("postgresql.conf", `${LACKED}\nlc_numeric = 'xx_XX'\n`);
    expect((await suit()).map(({ name }) => name).toSorted()).toEqual([
      "lc_numeric",
      ...CHANGED.map(({ name }) => name),
    ]);
  });

  test("a configuration that this host takes stays as it is", async () => {
    put("postgresql.conf", "timezone = 'UTC'\nhuge_pages = try\n");
    expect(await suit()).toEqual([]);
    expect(() => readFileSync(join(dataDir, "postgresql.auto.conf"))).toThrow("ENOENT");
  });

  test("it is foreseen by what was saved, where what ALTER SYSTEM wrote counts last, also beside values with a line end", async () => {
    const { source, ...record } = sampleRecord({});
    const files = {
      "/etc/soar-test/postgresql.conf": LACKED,
      "/srv/source/postgresql.auto.conf": "lc_time = 'C'\nlog_timezone = 'UTC'\nlog_line_prefix = '%m [%p]\\n'\n",
    };
    const backup = {
      ...record,
      source: { ...source, dataDirectory: "/srv/source" },
      settings: { config_file: "/etc/soar-test/postgresql.conf" },
    };
    const saved = new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)]));
    expect((await foreseeChanged(saved, backup, { binDir })).map(({ name }) => name).toSorted()).toEqual([
      "TimeZone",
      "max_stack_depth",
      "wal_compression",
    ]);
  });
});
