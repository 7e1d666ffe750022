import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { appendFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  aviationTrafficSql,
  databaseDigest,
  differingTables,
  loadAviationData,
  requireInstallation,
  type DatabaseDigest,
} from "@soar-tooling/postgres-clusters";
import { serverUser } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, ROOT, type SoarWorld } from "../src/soar-world.ts";

let world: SoarWorld;
let latest: DatabaseDigest;
const digest = () => databaseDigest((sql) => world.cluster.query(sql, [], "soar"));

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation(),
    databases: ["soar"],
    initdbArgs: ["--wal-segsize=1"],
  });
  const { cluster } = world;
  await loadAviationData((sql) => cluster.query(sql, [], "soar"), { sizeMb: 6 });
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await cluster.query(aviationTrafficSql({ rows: 5_000 }), [], "soar");
  latest = await digest();
  await archiveAll(cluster);
  await cluster.stop("fast");
});
afterAll(() => world[Symbol.asyncDispose]());

const inDataDir = (...path: readonly string[]): string => join(world.cluster.dataDir, ...path);
const restoreArguments = ["--latest", "--yes", "--json"];

function startRestore(args: readonly string[] = restoreArguments): ChildProcess {
  return spawn(join(ROOT, "node_modules/.bin/soar-restore"), ["--env-file", world.envFile, ...args], {
    cwd: world.directory,
    env: { PATH: process.env["PATH"] ?? "", HOME: world.directory },
    stdio: "ignore",
  });
}

/** Kills the restore as soon as it has got there, and not later than at its end. */
async function killAt(reached: () => boolean): Promise<void> {
  const child = startRestore();
  const ended = new Promise((resolve) => child.once("exit", resolve));
  while (!reached() && child.exitCode === null) await delay(1);
  expect(child.exitCode, "it ended before it got there").toBeNull();
  child.kill("SIGKILL");
  await ended;
}

/** The restore says that it is done, every row is there, and the server takes writes. */
async function expectRestored(args: readonly string[] = restoreArguments): Promise<void> {
  const restored = await world.run("soar-restore", args);
  expect(restored, restored.stderr).toMatchObject({ status: 0 });
  expect(JSON.parse(restored.stdout)).toMatchObject({ outcome: "promoted" });
  expect(differingTables(await digest(), latest)).toEqual([]);
  await world.cluster.query("CREATE TABLE takes_writes ()", [], "soar");
  expect(existsSync(inDataDir("recovery.signal"))).toBe(false);
  expect(readFileSync(inDataDir("postgresql.auto.conf"), "utf8")).not.toContain("restore_command");
  await world.cluster.query("DROP TABLE takes_writes", [], "soar");
}

function textOf(...path: readonly string[]): string {
  try {
    return readFileSync(inDataDir(...path), "utf8");
  } catch {
    return "";
  }
}

const NOT_STARTABLE = /pg_control|PG_VERSION|not a valid data directory|configuration file .*: No such file/;
/** Not even by an operator who gives everything to the server's user, because what root has restored so far is still root's. */
async function expectNotStartable(): Promise<void> {
  if (process.getuid?.() === 0)
    execFileSync("chown", ["-R", `${serverUser().uid}:${serverUser().gid}`, world.cluster.dataDir]);
  await expect(world.cluster.start()).rejects.toThrow(NOT_STARTABLE);
}

const isStarted = (): boolean => existsSync(inDataDir("postmaster.pid"));
const logHolds = (text: string | RegExp): boolean => textOf("soar-restore", "server.log").search(text) >= 0;
const SEGMENT_RESTORED = /restored log file "[0-9A-F]{24}"/;

describe("a restore that is killed goes on when the same command is given again, and ends with every row", () => {
  const BEFORE_CONTROL: readonly [string, () => boolean][] = [
    ["before anything is fetched", () => existsSync(inDataDir("soar-restore", "restore.json"))],
    ["with the first files there", () => existsSync(inDataDir("base", "1"))],
    ["with recovery set up", () => existsSync(inDataDir("recovery.signal"))],
  ];
  test.each(BEFORE_CONTROL)("%s; until then no server starts there", { timeout: 120_000 }, async (_, reached) => {
    await rm(world.cluster.dataDir, { recursive: true, force: true });
    await killAt(reached);
    if (!existsSync(inDataDir("global", "pg_control"))) await expectNotStartable();
    await expectRestored();
    await world.cluster.stop("fast");
  });

  const WITH_SERVER: readonly [string, () => boolean][] = [
    ["whole, before the server has started", () => existsSync(inDataDir("global", "pg_control"))],
    ["with the server just started", isStarted],
    ["in the middle of replay", () => logHolds(SEGMENT_RESTORED)],
    ["with the server about to promote", () => logHolds("selected new timeline ID")],
  ];
  test.each(WITH_SERVER)("%s; the server goes on alone and is followed", { timeout: 120_000 }, async (_, reached) => {
    await rm(world.cluster.dataDir, { recursive: true, force: true });
    await killAt(reached);
    await expectRestored();
    await world.cluster.stop("fast");
  });

  test("with the server killed, too, in the middle of replay", { timeout: 120_000 }, async () => {
    await rm(world.cluster.dataDir, { recursive: true, force: true });
    await killAt(() => logHolds(SEGMENT_RESTORED));
    await world.cluster.kill();
    const shown = await world.run("soar-restore", ["status", "--json", "--data-dir", world.cluster.dataDir]);
    expect(JSON.parse(shown.stdout)).toMatchObject({
      phase: "recover",
      running: false,
      replayedLsn: expect.stringMatching(/^0\/[0-9A-F]+00000$/),
    });
    const said = await world.run("soar-restore", ["status", "--data-dir", world.cluster.dataDir]);
    expect(said.stdout).toContain("interrupted; give the same command again to go on");
    await expectRestored();
    const over = await world.run("soar-restore", ["status", "--data-dir", world.cluster.dataDir]);
    expect(over).toMatchObject({ status: 20, stderr: expect.stringContaining("no restore is in progress") });
    await world.cluster.stop("fast");
  });

  test(
    "stopped in the middle of replay: what it replayed is gone on with, unless something was changed there since",
    { timeout: 120_000 },
    async () => {
      await rm(world.cluster.dataDir, { recursive: true, force: true });
      const approach = async (): Promise<unknown> =>
        (JSON.parse((await world.run("soar-restore", ["plan", "--latest", "--json"])).stdout) as { approach: unknown })
          .approach;
      const child = startRestore();
      const ended = new Promise((resolve) => child.once("exit", resolve));
      while (!logHolds(SEGMENT_RESTORED) && child.exitCode === null) await delay(1);
      child.kill("SIGTERM");
      await ended;
      expect(existsSync(inDataDir("recovery.signal")), "it ended before it was stopped").toBe(true);
      expect(await approach()).toBe("recover");
      const [file = ""] = (await readdir(inDataDir("base", "1"))).filter((name) => /^\d+$/.test(name));
      await appendFile(inDataDir("base", "1", file), "not of this table");
      expect(await approach()).toBe("refill");
      await expectRestored();
      await world.cluster.stop("fast");
    },
  );

  test("while another one is at work, it refuses", { timeout: 120_000 }, async () => {
    await rm(world.cluster.dataDir, { recursive: true, force: true });
    const first = startRestore();
    const ended = new Promise((resolve) => first.once("exit", resolve));
    while (!existsSync(inDataDir("soar-restore", "restore.json"))) await delay(1);
    first.kill("SIGSTOP");
    const second = await world.run("soar-restore", restoreArguments);
    expect(second).toMatchObject({ status: 94, stderr: expect.stringContaining("is at work there") });
    const shown = await world.run("soar-restore", ["status", "--json", "--data-dir", world.cluster.dataDir]);
    expect(JSON.parse(shown.stdout)).toMatchObject({ phase: "fetch", running: true, processId: first.pid });
    first.kill("SIGCONT");
    expect(await ended).toBe(0);
    await world.cluster.stop("fast");
  });
});

describe("--delta", () => {
  const delta = [...restoreArguments, "--delta"];

  test(
    "brings a damaged directory back: what is foreign goes, what was changed or lost comes, unarchived WAL is put aside",
    { timeout: 120_000 },
    async () => {
      const files = (await readdir(inDataDir("base"), { recursive: true, withFileTypes: true })).filter(
        (file) => file.isFile() && /^\d+$/.test(file.name),
      );
      const [changed, lost] = files
        .filter((file) => file.parentPath.length > inDataDir("base").length)
        .map((file) => join(file.parentPath, file.name));
      await appendFile(changed ?? "", "not of this table");
      await rm(lost ?? "");
      await writeFile(inDataDir("base", "foreign"), "x");
      await writeFile(inDataDir("pg_wal", "000000990000000000000001"), "x");
      await expectRestored(delta);
      expect(existsSync(inDataDir("base", "foreign"))).toBe(false);
      const [saved] = (await readdir(join(world.cluster.dataDir, ".."))).filter((name) =>
        name.includes(".wal-before-restore-"),
      );
      expect(await readdir(join(world.cluster.dataDir, "..", saved ?? ""))).toContain("000000990000000000000001");
      await world.cluster.stop("fast");
    },
  );

  test("that is killed cannot be started, and goes on", { timeout: 120_000 }, async () => {
    const child = startRestore(delta);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    while (existsSync(inDataDir("global", "pg_control"))) await delay(1);
    child.kill("SIGKILL");
    await ended;
    expect(existsSync(inDataDir("global", "pg_control"))).toBe(false);
    await expectNotStartable();
    await expectRestored();
  });

  test("refuses another cluster's directory, and changes nothing", { timeout: 120_000 }, async () => {
    await using other = await createSoarWorld({ installation: requireInstallation() });
    await other.cluster.stop("fast");
    const control = readFileSync(join(other.cluster.dataDir, "global", "pg_control"));
    const foreign = await world.run("soar-restore", [...delta, "--data-dir", other.cluster.dataDir]);
    expect(foreign, foreign.stderr).toMatchObject({
      status: 95,
      stderr: expect.stringContaining("it holds another cluster"),
    });
    expect(readFileSync(join(other.cluster.dataDir, "global", "pg_control")).equals(control)).toBe(true);
  });
});
