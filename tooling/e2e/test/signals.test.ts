import { existsSync, lutimesSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import type { ProgramResult, StartedProgram } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { type Binary, createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/*
 * Signals at any moment of each program's first and last second. `SOAR_SIGNAL_ROUNDS=125` makes 500 rounds of all four;
 * `SOAR_SIGNAL_SEED` repeats a run as far as a clock can be repeated.
 */
const ROUNDS = Number(process.env["SOAR_SIGNAL_ROUNDS"] ?? 2);
const SEED = Number(process.env["SOAR_SIGNAL_SEED"] ?? 1);
/** More than any of them takes to give up what it has begun. */
const SOON_MS = 40_000;

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

/** mulberry32: the same numbers for the same seed, everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const spoolDir = (): string => world.settings["BACKUP_SPOOL_DIR"] ?? "";
const settings = (): Record<string, string> => ({ BACKUP_TEMP_DIR: temp, TMPDIR: temp });

async function finishes(binary: Binary, args: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const { status, stderr } = await world.run(binary, args, { settings: settings() });
  expect(status, `${binary} ${args.join(" ")}: ${stderr}`).toBe(0);
  return performance.now() - startedAt;
}

async function endOf(program: StartedProgram, told: string): Promise<ProgramResult> {
  const limit = new AbortController();
  const late = delay(SOON_MS, "late" as const, { signal: limit.signal }).catch(() => "late" as const);
  const end = await Promise.race([program.result, late]);
  limit.abort();
  if (end === "late") program.kill("SIGKILL");
  expect(end, `${told}: it does not end\n${program.printed()}`).not.toBe("late");
  return await program.result;
}

interface Interrupted extends ProgramResult {
  readonly told: string;
}

/** Starts a program, signals it in the first or the last second of the time that it takes, and waits for its end. */
async function interrupt(
  random: () => number,
  binary: Binary,
  { args, tookMs }: { readonly args: readonly string[]; readonly tookMs: number },
): Promise<Interrupted> {
  const signal = random() < 0.5 ? "SIGTERM" : "SIGKILL";
  const afterMs = Math.round((random() < 0.5 ? 0 : Math.max(0, tookMs - 1_000)) + random() * 1_000);
  const told = `${binary}, ${signal} after ${afterMs} ms of ${Math.round(tookMs)}`;
  const program = world.start(binary, args, { settings: settings() });
  await Promise.race([delay(afterMs), program.result]);
  program.kill(signal);
  const end = await endOf(program, told);
  // Neither a success that was none, nor a status that PostgreSQL takes for a signal.
  if (end.signal === null) expect(end.status, `${told}\n${end.stderr}`).toBeLessThanOrEqual(125);
  else expect(["SIGTERM", "SIGKILL"], told).toContain(end.signal);
  expect(end.stderr, told).not.toContain("This is a bug");
  return { ...end, told };
}

const rounds = Array.from({ length: ROUNDS }, (_, round) => ({ round, random: randomFrom(SEED * 1_000 + round) }));
const LIMIT = { timeout: 180_000 };

describe("SIGTERM and SIGKILL at any moment leave nothing behind that the next run stumbles over:", () => {
  test.each(rounds)("a base backup, round $round", LIMIT, async ({ random }) => {
    const tookMs = await finishes("soar-base-backup", []);
    const { told } = await interrupt(random, "soar-base-backup", { args: [], tookMs });
    await finishes("soar-base-backup", []);
    expect(readdirSync(temp), told).toEqual([]);
    await finishes("soar-backup-verify", ["--level", "quick"]);
  });

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
