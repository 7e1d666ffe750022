import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresMajors } from "@soar-tooling/postgres-clusters";
import { sampleRecord } from "@soar-tooling/sample-repository";
import { serverUser } from "@soar-tooling/test-bench";
import { parseConfigSettings } from "@soar/pg-tools/recovery-config";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { foreseeSettings } from "./foresee-settings.ts";
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
    expect(
      (await foreseeSettings({ saved, configFile: undefined }, backup, { binDir })).changed
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(["max_stack_depth", "timezone", "wal_compression"]);
  });

  /** As a restore on a host that lacked more has left it, and a backup of that brings it here. */
  const FROM_ELSEWHERE = [
    "work_mem = '5MB'",
    "# soar: this host lacks what the source had; ALTER SYSTEM RESET takes one of these back.",
    "# timezone = 'UTC'",
    "timezone = 'GMT'",
    "# lc_time = 'xx_XX.UTF-8'",
    "lc_time = 'POSIX'",
    "# soar: end of what this host lacks",
    "max_connections = '17'",
    "",
  ].join("\n");

  test("what was changed for the sake of the host that was backed up is taken back, and this host is asked", async () => {
    put("postgresql.conf", "timezone = 'UTC'\nlc_time = 'xx_XX.UTF-8'\nlog_timezone = 'Mars/Olympus Mons'\n");
    put("postgresql.auto.conf", FROM_ELSEWHERE);
    const changed = await suit();
    expect(changed.toSorted(byName)).toEqual([
      { name: "lc_time", value: "xx_XX.UTF-8", now: "C" },
      { name: "log_timezone", value: "Mars/Olympus Mons", now: "GMT" },
    ]);
    expect(await readChanged(dataDir)).toEqual(changed);
    const settings = parseConfigSettings(readFileSync(join(dataDir, "postgresql.auto.conf"), "utf8"));
    const named = (name: string) => settings.filter((one) => one.name === name).map(({ value }) => value);
    expect([named("timezone"), named("work_mem"), named("max_connections")]).toEqual([[], ["5MB"], ["17"]]);
    // And where this host has everything, nothing is left of it.
    put("postgresql.conf", "lc_time = 'C'\n");
    put("postgresql.auto.conf", FROM_ELSEWHERE);
    expect(await suit()).toEqual([]);
    expect(readFileSync(join(dataDir, "postgresql.auto.conf"), "utf8")).toBe(
      "work_mem = '5MB'\nmax_connections = '17'\n",
    );
  });

  test("the plan says of a configuration that is used where it lies what the restore then does", async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), "soar-etc-"));
    const configFile = join(elsewhere, "postgresql.conf");
    writeFileSync(
      configFile,
      `data_directory = '${elsewhere}'\nlog_timezone = 'Mars/Olympus Mons'\nlc_time = 'xx_XX'\n`,
    );
    // Of the data directory that is there now, which is not the one that is going to be.
    writeFileSync(join(elsewhere, "postgresql.auto.conf"), "lc_numeric = 'xx_XX'\n");
    for (const path of [elsewhere, configFile]) chownSync(path, serverUser().uid, serverUser().gid);
    const { source, ...record } = sampleRecord({});
    const backup = {
      ...record,
      source: { ...source, dataDirectory: "/srv/source" },
      settings: { config_file: configFile },
    };
    const auto = `${FROM_ELSEWHERE}lc_monetary = 'xx_XX'\n`;
    const saved = new Map([
      ["/srv/source/postgresql.auto.conf", Buffer.from(auto)],
      [configFile, Buffer.from("timezone = 'Mars/As Saved'\n")],
    ]);
    const { changed: foreseen } = await foreseeSettings({ saved, configFile }, backup, { binDir });
    put("postgresql.auto.conf", auto);
    const changed = await suitToHost({ dataDir, binDir, owner, configFile });
    expect(foreseen.toSorted(byName)).toEqual(changed.toSorted(byName));
    expect(changed.map(({ name }) => name).toSorted()).toEqual(["lc_monetary", "lc_time", "log_timezone"]);
    rmSync(elsewhere, { recursive: true });
  });
});
