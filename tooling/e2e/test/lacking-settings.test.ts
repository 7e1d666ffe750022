import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort, type ProgramResult } from "@soar-tooling/test-bench";
import { connectSql } from "@soar/pg-tools/replication";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/** A server whose settings have values that only its own host knows: time zones, locales, pages that are set aside for it. */
let world: SoarWorld;
let lists: string;

const EXPECTED = { log_timezone: "GMT", lc_messages: "C", lc_time: "C", huge_pages: "try" };
const NAMES = Object.keys(EXPECTED);

async function settingsOf(port: number): Promise<Readonly<Record<string, string>>> {
  await using connection = await connectSql({ host: "127.0.0.1", port, user: "postgres" });
  const rows = await connection.query<{ name: string; setting: string }>(
    "SELECT name, coalesce(reset_val, setting) AS setting FROM pg_settings WHERE name = ANY ($1)",
    [NAMES],
  );
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
}

beforeAll(async () => {
  lists = mkdtempSync("/tmp/soar-locales-");
  const locales = join(lists, "locale");
  mkdirSync(locales);
  execFileSync("localedef", ["-i", "de_DE", "-f", "UTF-8", join(locales, "de_DE.utf8")]);
  execFileSync("chmod", ["-R", "a+rX", lists]);
  world = await createSoarWorld({
    installation: requireInstallation(),
    initdbArgs: ["--wal-segsize=1"],
    settings: { lc_messages: "de_DE.UTF-8" },
    env: { LOCPATH: locales },
  });
  const { cluster } = world;
  await cluster.query("ALTER SYSTEM SET lc_time = 'de_DE.UTF-8'");
  await cluster.restart();
  await cluster.query("CREATE TABLE devices AS SELECT generate_series(1, 1000) AS id");
  // Of a host whose zones are others, in two spellings.
  const conf = join(cluster.dataDir, "postgresql.conf");
  appendFileSync(conf, "timezone = 'Soar/Testing'\nLog_TimeZone = 'Soar/Testing'\nhuge_pages = on\n");
  const backup = await world.run("soar-base-backup", ["--no-expire"]);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await archiveAll(cluster);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(lists, { recursive: true, force: true });
});

const restore = (...args: readonly string[]): Promise<ProgramResult> => world.run("soar-restore", args);

test("a copy is restored on a host that lacks what settings name, and plan and report say what was changed", async () => {
  const dataDir = join(world.directory, "copy");
  const plan = await restore("plan", "--latest", "--data-dir", dataDir);
  expect(plan.stdout).toMatch(/^warning: +this host does not have timezone = 'Soar\/Testing': .* 'GMT'/im);
  expect(plan.stdout).toMatch(/^warning: +this host does not have lc_messages = 'de_DE\.UTF-8': .* 'C'/m);
  const port = await freePort();
  const result = await restore("--latest", "--data-dir", dataDir, "--port", String(port), "--yes");
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(result.stdout + result.stderr).toMatch(
    /^changed: +timezone = 'GMT' in postgresql\.auto\.conf, because this host does not have 'Soar\/Testing'; ALTER SYSTEM RESET timezone/m,
  );
  expect(await settingsOf(port)).toEqual(EXPECTED);
  process.kill(Number(readFileSync(join(dataDir, "postmaster.pid"), "utf8").split("\n")[0]), "SIGINT");
});

test("in its place the server comes back, and takes its own value again once the host has it", async () => {
  const { cluster } = world;
  await cluster.kill();
  const result = await restore("--latest", "--yes", "--json");
  expect(result, result.stderr).toMatchObject({ status: 0 });
  const { changedSettings } = JSON.parse(result.stdout) as { changedSettings: unknown };
  expect(changedSettings).toEqual(
    expect.arrayContaining([{ name: "timezone", value: "Soar/Testing", now: "GMT" }]) as unknown,
  );
  expect(await settingsOf(cluster.port)).toEqual(EXPECTED);
  expect(await cluster.query("SELECT count(*)::int AS rows FROM devices")).toEqual([{ rows: 1000 }]);
  // Whoever starts it next does so where the locale is.
  await cluster.query("ALTER SYSTEM RESET lc_messages");
  await cluster.restart();
  expect(await settingsOf(cluster.port)).toEqual({ ...EXPECTED, lc_messages: "de_DE.UTF-8" });
});
