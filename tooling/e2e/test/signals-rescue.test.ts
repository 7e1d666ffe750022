// @module-tag needs-postgres-clients
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { finishesIn, interruptIn, processesBelow, signalRounds, type Interrupted } from "../src/interrupting.ts";
import { copyAsOld, removeBackup } from "../src/old-backup.ts";
import { type Binary, createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

// As signals.test, for what begins servers of its own, writes into the living one, or removes: drills, rescues, expiry, a restore in place.

const LABEL = "2025-03-03";
let world: SoarWorld;
let temp: string;
beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_ctl", "pg_dump", "pg_restore", "psql"),
    initdbArgs: ["--wal-segsize=1"],
    databases: ["soar"],
  });
  temp = join(world.directory, "temp");
  mkdirSync(temp, { mode: 0o777 });
  await world.cluster.query(
    "CREATE TABLE devices AS SELECT n, md5(n::text) FROM generate_series(1, 5000) AS n",
    [],
    "soar",
  );
  await finishes("soar-base-backup", ["--label", LABEL, "--no-expire"]);
  await archiveAll(world.cluster);
});
afterAll(() => world[Symbol.asyncDispose]());

const programs = () => ({
  ...world,
  settings: {
    BACKUP_TEMP_DIR: temp,
    TMPDIR: temp,
    PGDATABASE: "soar",
    BACKUP_DRILL_STATE_DIR: join(world.directory, "state"),
    BACKUP_RETENTION_COUNT: "1",
    BACKUP_RETENTION_DAYS: "1",
  },
});
const finishes = (binary: Binary, args: readonly string[], told?: string): Promise<number> =>
  finishesIn(programs(), binary, args, told);
/** How long each takes, in milliseconds, by its last run to the end; before the first of them about so long. */
const took = new Map<string, number>();
const ABOUT_MS = 4000;

/** Interrupts the command and gives it again, which succeeds and leaves nothing of either. `makeRoom` takes away what it made, where that is there. */
async function survives(
  random: () => number,
  binary: Binary,
  args: readonly string[],
  makeRoom: () => Promise<void> = async () => undefined,
): Promise<Interrupted> {
  const key = `${binary} ${args[0] ?? ""}`;
  const end = await interruptIn(programs(), random, binary, { args, tookMs: took.get(key) ?? ABOUT_MS });
  // It may have done its work, and been killed before it said so.
  await makeRoom();
  took.set(key, await finishes(binary, args, end.told));
  expect(readdirSync(temp), end.told).toEqual([]);
  expect(processesBelow(temp), end.told).toEqual([]);
  return end;
}

const databases = async (): Promise<string[]> =>
  (await world.cluster.query<{ datname: string }>("SELECT datname FROM pg_database ORDER BY 1")).map(
    ({ datname }) => datname,
  );
const rowsIn = async (database: string): Promise<unknown> =>
  await world.cluster.query("SELECT count(*)::int AS rows FROM devices", [], database);
const stored = (prefix: string): string[] =>
  [...world.s3.objects().keys()].filter((key) => key.startsWith(`cluster1/${prefix}`));

const rounds = signalRounds(1);
const LIMIT = { timeout: 180_000 };

describe("SIGTERM and SIGKILL at any moment leave nothing behind that the next run stumbles over:", () => {
  test.each(rounds)("a drill, round $round", LIMIT, async ({ random }) => {
    const before = stored("config/leases/");
    const { told } = await survives(random, "soar-backup-verify", ["drill"]);
    // That of one that was killed lapses by itself.
    const left = told.includes("SIGKILL") ? before : stored("config/leases/");
    expect(left, told).toEqual(before);
  });

  test.each(rounds)("a rescue of a database, round $round", LIMIT, async ({ random }) => {
    const before = await databases();
    const args = ["database", "--database", "soar", "--target-database", "rescued", "--latest"];
    const drop = async (): Promise<void> => void (await world.cluster.query("DROP DATABASE IF EXISTS rescued"));
    const { told } = await survives(random, "soar-restore", args, drop);
    expect(await rowsIn("rescued"), told).toEqual([{ rows: 5000 }]);
    await drop();
    expect(await databases(), told).toEqual(before);
  });

  test.each(rounds)("a rescue of a table, round $round", LIMIT, async ({ random }) => {
    const output = join(world.directory, "devices.sql");
    const args = ["table", "devices", "--database", "soar", "--output", output, "--latest"];
    const remove = async (): Promise<void> => rmSync(output, { force: true });
    const { told } = await survives(random, "soar-restore", args, remove);
    expect(readFileSync(output, "utf8").split("\n").length, told).toBeGreaterThan(5000);
    await remove();
    expect(
      readdirSync(world.directory).filter((name) => name.includes("devices")),
      told,
    ).toEqual([]);
  });

  test.each(rounds)("an expiry, round $round", LIMIT, async ({ random }) => {
    // The newer of them is the anchor of the window.
    const [old, anchor] = ["2025-01-01", "2025-01-02"];
    await copyAsOld(world, LABEL, anchor);
    await copyAsOld(world, LABEL, old);
    const { told } = await survives(random, "soar-base-backup", ["expire", "--yes"]);
    expect(stored(`base/${old}/`), told).toEqual([]);
    await removeBackup(world, anchor);
    await finishes("soar-backup-verify", ["--level", "quick"], told);
  });

  test.each(rounds)("a restore in place, round $round", LIMIT, async ({ random }) => {
    const { cluster } = world;
    const args = ["--latest", "--yes"];
    const parent = dirname(cluster.dataDir);
    const beside = (): string[] =>
      readdirSync(parent).filter((name) => name.startsWith(`${basename(cluster.dataDir)}.`) && !name.endsWith(".log"));
    const before = beside();
    // On the old disk only.
    const [row] = await cluster.query<{ rows: number }>(
      "WITH more AS (INSERT INTO devices VALUES (0, '') RETURNING n) SELECT (SELECT count(*) FROM devices)::int + (SELECT count(*) FROM more)::int AS rows",
      [],
      "soar",
    );
    const { status, told } = await interruptIn(programs(), random, "soar-restore", {
      args,
      tookMs: took.get("in place") ?? ABOUT_MS,
    });
    if (status !== 0) took.set("in place", await finishes("soar-restore", args, told));
    expect(await rowsIn("soar"), told).toEqual([{ rows: row?.rows }]);
    expect(existsSync(join(cluster.dataDir, "soar-restore")), told).toBe(false);
    await finishes("soar-restore", ["discard-old", "--data-dir", cluster.dataDir, "--yes"], told);
    expect(beside(), told).toEqual(before);
    expect(readdirSync(temp), told).toEqual([]);
  });

  test("and the repository is whole", async () => {
    await archiveAll(world.cluster);
    expect(await finishes("soar-backup-verify", ["--level", "full"])).toBeGreaterThan(0);
  });
});
