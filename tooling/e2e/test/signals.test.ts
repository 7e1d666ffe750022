import { existsSync, lutimesSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { endOf, finishesIn, interruptIn, signalRounds, type Interrupted } from "../src/interrupting.ts";
import { type Binary, createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

// Signals at any moment of each program's first and last second. `SOAR_SIGNAL_ROUNDS=125` makes 500 rounds of all four.

let world: SoarWorld;
let temp: string;
let wal: string;
beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_ctl"),
    initdbArgs: ["--wal-segsize=1"],
    settings: { wal_keep_size: "1GB" },
  });
  temp = join(world.directory, "temp");
  mkdirSync(temp, { mode: 0o777 });
  await finishes("soar-base-backup", []);
  await archiveAll(world.cluster);
  [wal = ""] = readdirSync(join(world.cluster.dataDir, "pg_wal")).filter((name) => /^[0-9A-F]{24}$/.test(name));
});
afterAll(() => world[Symbol.asyncDispose]());

const spoolDir = (): string => world.settings["BACKUP_SPOOL_DIR"] ?? "";
const settings = (): Record<string, string> => ({ BACKUP_TEMP_DIR: temp, TMPDIR: temp });

const finishes = (binary: Binary, args: readonly string[]): Promise<number> =>
  finishesIn({ ...world, settings: settings() }, binary, args);
const interrupt = (
  random: () => number,
  binary: Binary,
  options: { readonly args: readonly string[]; readonly tookMs: number },
): Promise<Interrupted> => interruptIn({ ...world, settings: settings() }, random, binary, options);

const rounds = signalRounds(2);
const LIMIT = { timeout: 180_000 };

describe("SIGTERM and SIGKILL at any moment leave nothing behind that the next run stumbles over:", () => {
  test.each(rounds)("a verification, round $round", LIMIT, async ({ random }) => {
    const args = ["--level", "full"];
    const tookMs = await finishes("soar-backup-verify", args);
    const { told } = await interrupt(random, "soar-backup-verify", { args, tookMs });
    await finishes("soar-backup-verify", args);
    expect(readdirSync(temp), told).toEqual([]);
  });

  let restoreTookMs = 0;
  test.each(rounds)("a restore, round $round", LIMIT, async ({ random, round }) => {
    const dataDir = join(world.directory, `restored-${round}`);
    const args = ["--immediate", "--data-dir", dataDir, "--target-action", "shutdown", "--yes"];
    if (restoreTookMs === 0) {
      restoreTookMs = await finishes("soar-restore", args);
      rmSync(dataDir, { recursive: true });
    }
    const { status, told } = await interrupt(random, "soar-restore", { args, tookMs: restoreTookMs });
    if (status !== 0) await finishes("soar-restore", args);
    expect(existsSync(join(dataDir, "PG_VERSION")), told).toBe(true);
    expect(existsSync(join(dataDir, "postmaster.pid")), told).toBe(false);
    expect(readdirSync(temp), told).toEqual([]);
    rmSync(dataDir, { recursive: true });
  });

  test.each(rounds)("an archive_command, and the resident archiver, round $round", LIMIT, async ({ random }) => {
    const push = [join(world.cluster.dataDir, "pg_wal", wal), wal];
    const tookMs = await finishes("soar-wal-archive", push);
    await interrupt(random, "soar-wal-archive", { args: push, tookMs });
    await finishes("soar-wal-archive", push);
    const daemon = ["daemon", "--data-dir", world.cluster.dataDir];
    await interrupt(random, "soar-wal-archive", { args: daemon, tookMs: 0 });
    const next = world.start("soar-wal-archive", daemon, { settings: settings() });
    await next.says("files wait");
    await archiveAll(world.cluster);
    next.kill("SIGTERM");
    await delay(random() * 1_000);
    if (random() < 0.5) next.kill("SIGKILL");
    const { status, signal } = await endOf(next, "the archiver, stopped");
    expect([0, "SIGKILL"]).toContain(signal ?? status);
    // Killed while it wrote its counters, it leaves their lock, which the next one takes.
    if (signal === "SIGKILL") await finishes("soar-wal-archive", push);
    // A socket that had no name yet when it was killed goes when it is an hour old.
    const locks = readdirSync(spoolDir()).filter((name) => name.includes(".lock") && !name.endsWith(".soar-tmp"));
    expect(signal === "SIGKILL" ? locks.filter((name) => name !== "counters.json.lock") : locks).toEqual([]);
    expect(readdirSync(temp)).toEqual([]);
  });

  // Last: of hundreds of backups each verification would read all.
  test.each(rounds)("a base backup, round $round", LIMIT, async ({ random }) => {
    const tookMs = await finishes("soar-base-backup", []);
    const { told } = await interrupt(random, "soar-base-backup", { args: [], tookMs });
    await finishes("soar-base-backup", []);
    expect(readdirSync(temp), told).toEqual([]);
    await finishes("soar-backup-verify", ["--level", "quick"]);
  });

  test("and the spool has nothing unfinished when an hour has passed", async () => {
    const twoHoursAgo = new Date(Date.now() - 2 * 3_600_000);
    const unfinished = (): string[] => readdirSync(spoolDir()).filter((name) => name.endsWith(".soar-tmp"));
    for (const name of unfinished()) lutimesSync(join(spoolDir(), name), twoHoursAgo, twoHoursAgo);
    await finishes("soar-wal-archive", [join(world.cluster.dataDir, "pg_wal", wal), wal]);
    expect(unfinished()).toEqual([]);
  });

  test("and the repository is whole", async () => {
    await finishes("soar-backup-verify", ["--level", "full"]);
    expect(readFileSync(world.envFile, "utf8")).toContain("BACKUP_BUCKET");
  });
});
