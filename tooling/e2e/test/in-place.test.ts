import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createServer } from "node:net";
import { basename, dirname, join } from "node:path";
import { readClusterState } from "@soar/pg-tools/cluster";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveAll, databaseTime, passCheckpoint } from "../src/archiving.ts";
import { installServiceManager, type ServiceManager } from "../src/service-manager.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";
import { startOnTerminal } from "../src/terminal-session.ts";

/** One server with its services, a tablespace, and a pg_wal on another place, as production has it. */
let world: SoarWorld;
let services: ServiceManager;
let settings: Record<string, string>;
let walDir: string;
let tablespace: string;

beforeAll(async () => {
  world = await createSoarWorld({
    installation: requireInstallation("pg_ctl"),
    databases: ["soar"],
    initdbArgs: ["--wal-segsize=1"],
    settings: { log_line_prefix: "own %p ", listen_addresses: "127.0.0.1" },
  });
  const { cluster } = world;
  await cluster.stop();
  walDir = join(dirname(cluster.dataDir), "wal");
  renameSync(join(cluster.dataDir, "pg_wal"), walDir);
  symlinkSync(walDir, join(cluster.dataDir, "pg_wal"));
  await cluster.start();
  tablespace = cluster.tablespaceDir("fast");
  await cluster.query(`CREATE TABLESPACE fast LOCATION '${tablespace}'`);
  await cluster.query("CREATE TABLE devices (id int) TABLESPACE fast", [], "soar");
  await cluster.query("CREATE UNLOGGED TABLE seen (id int)", [], "soar");
  await cluster.query("INSERT INTO devices SELECT generate_series(1, 1000)", [], "soar");
  // As if the source had sorted text with another version of its library.
  await cluster.query("UPDATE pg_database SET datcollversion = '0' WHERE datname = 'soar'");
  // As an interrupted DROP DATABASE leaves one: nobody can enter it.
  await cluster.query("CREATE DATABASE broken");
  await cluster.query("UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'broken'");
  services = installServiceManager(world, cluster);
  mkdirSync(join(world.directory, "log"));
  settings = {
    PATH: services.path,
    BACKUP_APP_SERVICES: "soar-aprs,soar-api",
    BACKUP_LOG_DIR: join(world.directory, "log"),
  };
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await archiveAll(cluster);
});
afterAll(() => world[Symbol.asyncDispose]());

const inDataDir = (...path: readonly string[]): string => join(world.cluster.dataDir, ...path);
const restore = (...args: readonly string[]): Promise<ProgramResult> => world.run("soar-restore", args, { settings });
const beside = (path: string): string[] =>
  readdirSync(dirname(path))
    .filter((name) => name.startsWith(`${basename(path)}.before-restore-`))
    .sort();
const count = async (): Promise<unknown> =>
  (await world.cluster.query<{ rows: number }>("SELECT count(*)::int AS rows FROM devices", [], "soar"))[0]?.rows;

/** The server runs as it does every day: nothing of the restore is left in it. */
async function expectOwnServer(): Promise<void> {
  expect(
    await world.cluster.query(
      "SELECT current_setting('log_line_prefix') AS prefix, current_setting('listen_addresses') AS addresses, current_setting('hot_standby') AS standby, current_setting('restore_command') AS command, current_setting('archive_mode') AS archiving",
    ),
  ).toEqual([{ prefix: "own %p ", addresses: "127.0.0.1", standby: "on", command: "", archiving: "on" }]);
  expect(existsSync(inDataDir("soar-restore"))).toBe(false);
  expect(existsSync(inDataDir("recovery.signal"))).toBe(false);
  expect(readFileSync(inDataDir("postgresql.auto.conf"), "utf8")).not.toContain("recovery_target");
}

test(
  "scenario 1: the machine's database is broken; everything that was committed comes back, also what was never archived",
  { timeout: 120_000 },
  async () => {
    const { cluster } = world;
    // The archiver has not worked for a while, so that the newest commits are on this disk only.
    await cluster.configure({ archive_command: "/bin/false" });
    await cluster.query("INSERT INTO devices SELECT generate_series(1001, 30000)", [], "soar");
    await cluster.query("INSERT INTO devices VALUES (30001)", [], "soar");
    await cluster.kill();
    rmSync(inDataDir("global"), { recursive: true });
    rmSync(inDataDir("base"), { recursive: true });

    const restored = await restore("--latest", "--yes", "--json");
    expect(restored, restored.stderr).toMatchObject({ status: 0 });
    expect(await count()).toBe(30_001);
    expect(services.calls()).toEqual(["stop soar-aprs soar-api", `start ${services.unit}`, "start soar-aprs soar-api"]);
    await expectOwnServer();

    const [kept = ""] = beside(cluster.dataDir);
    expect(JSON.parse(restored.stdout)).toMatchObject({
      inPlace: true,
      fenced: false,
      timeline: 2,
      outcome: "promoted",
      keptAs: join(dirname(cluster.dataDir), kept),
      startedServices: ["soar-aprs", "soar-api"],
      checks: { databases: 3, otherCollation: ["soar"], unloggedTables: 1 },
    });
    // The old data is whole, with what belongs to it elsewhere; the new data has the old places, modes and owners.
    const old = join(dirname(cluster.dataDir), kept);
    expect(readlinkSync(join(old, "pg_wal"))).toBe(join(dirname(walDir), beside(walDir)[0] ?? ""));
    expect(readlinkSync(inDataDir("pg_wal"))).toBe(walDir);
    expect(beside(tablespace)).toHaveLength(1);
    for (const path of [cluster.dataDir, walDir, tablespace])
      expect([statSync(path).uid, statSync(path).mode & 0o777]).toEqual([cluster.owner.uid, 0o700]);
    expect(restored.stderr).toMatch(/from this disk: +\d+ WAL segments that are not in the repository/);
    const log = readFileSync(join(world.directory, "log", "backup.log"), "utf8");
    for (const line of [
      "stopped soar-aprs, soar-api",
      `kept the old data directory as ${old}`,
      "WAL replayed; the last record is at",
      "started the server",
      "started soar-aprs, soar-api",
      "restore completed: backup",
    ])
      expect(log).toContain(line);
    // Archiving goes on, on the new timeline, and the base backup that the report demands can be taken.
    await archiveAll(cluster);
    const backup = await world.run("soar-base-backup", ["--json"]);
    expect(backup, backup.stderr).toMatchObject({ status: 0 });
    expect([...world.s3.objects().keys()].some((key) => key.includes("/wal/00000002.history"))).toBe(true);
  },
);

test(
  "scenario 2: somebody deleted the devices; the operator sees who is connected, agrees, and has the state before",
  { timeout: 120_000 },
  async () => {
    const { cluster } = world;
    await passCheckpoint(cluster);
    await cluster.query("INSERT INTO devices VALUES (30002)", [], "soar");
    const instant = await databaseTime(cluster);
    await cluster.query("DELETE FROM devices", [], "soar");
    await archiveAll(cluster);
    const client = cluster
      .runProgram("psql", ["-c", "SELECT pg_sleep(600)", "soar"], { env: { PGAPPNAME: "soar-aprs" } })
      .catch(() => undefined);
    await expect
      .poll(() => cluster.query("SELECT 1 FROM pg_stat_activity WHERE application_name = 'soar-aprs'"))
      .toHaveLength(1);

    // Whatever server the environment names: asked is the one that is going to be stopped.
    const terminal = startOnTerminal(`soar-restore --env-file ${world.envFile} --target-time '${instant}'`, {
      env: { HOME: world.directory, SOAR_REQUIRE_ENDPOINT: "1", PGHOST: "127.0.0.1", PGPORT: "1", ...settings },
      cwd: world.directory,
    });
    const shown = (await terminal.shows("Type yes to go on")).join("\n");
    expect(shown).toMatch(/what is there: +a cluster, which is kept whole as/);
    expect(shown).toMatch(/stops: +soar-aprs, soar-api, started again/);
    expect(shown).toMatch(
      new RegExp(`stops: +the server with process id ${cluster.pid()}, by: systemctl stop ${services.unit}`),
    );
    expect(shown).toMatch(/first left out: +commit of 20/);
    expect(shown).toMatch(/ 1 +soar-aprs +soar +postgres/);
    terminal.type("yes\r");
    const { status, written } = await terminal.ended;
    await client;
    expect(status, written).toBe(0);
    expect(await count()).toBe(30_002);
    await expectOwnServer();
    expect(services.calls().slice(3)).toEqual([
      "stop soar-aprs soar-api",
      `stop ${services.unit}`,
      `start ${services.unit}`,
      "start soar-aprs soar-api",
    ]);
    for (const line of [
      /asked: +time 20/,
      /reached: +0\/[0-9A-F]+, as planned/,
      /warning: +this host sorts text in another way than the source in soar/,
      /warning: +1 unlogged tables came back empty/,
      /lost: +everything from the commit of 20.* on, as asked/,
      /timeline: +3, begun by this restore/,
      /next: +take a base backup now/,
      /next: +when nobody needs the old data/,
    ])
      expect(written).toMatch(line);
  },
);

describe("before anything is touched", () => {
  const state = (): unknown => [world.cluster.pid(), beside(world.cluster.dataDir)];

  test("a service or a server that cannot be stopped ends the restore, and what was stopped runs again", async () => {
    const before = state();
    services.breakUnit("stop soar-api");
    const result = await restore("--latest", "--yes");
    expect(result).toMatchObject({
      status: 24,
      stderr: expect.stringMatching(/systemctl stop soar-aprs soar-api.*Job for soar-api failed/),
    });
    expect(services.calls().slice(-2)).toEqual(["stop soar-aprs soar-api", "start soar-aprs soar-api"]);
    services.breakUnit(`stop ${services.unit}`);
    expect(await restore("--latest", "--yes")).toMatchObject({
      status: 24,
      stderr: expect.stringContaining(`Job for ${services.unit} failed`),
    });
    expect(services.calls().slice(-3)).toEqual([
      "stop soar-aprs soar-api",
      `stop ${services.unit}`,
      "start soar-aprs soar-api",
    ]);
    services.breakUnit("soar-api");
    expect(await restore("--latest", "--yes")).toMatchObject({
      status: 24,
      stderr: expect.stringMatching(
        /systemctl stop.*; and what was stopped could not be started again: .*systemctl start/s,
      ),
    });
    services.breakUnit("");
    expect(state()).toEqual(before);
  });

  test("data that would be lost for good is asked for by a word of its own", async () => {
    const before = state();
    const terminal = startOnTerminal(`soar-restore --env-file ${world.envFile} --latest --discard-old-data`, {
      env: { HOME: world.directory, SOAR_REQUIRE_ENDPOINT: "1", ...settings },
      cwd: world.directory,
    });
    expect((await terminal.shows("Type discard to go on")).join("\n")).toMatch(/what is there: +IS OVERWRITTEN/);
    terminal.type("yes\r");
    expect(await terminal.ended).toMatchObject({ status: 2 });
    expect(state()).toEqual(before);
  });

  test(
    "a plan that turns out to be impossible when the server stands still lets everything run again",
    { timeout: 60_000 },
    async () => {
      const { cluster } = world;
      const before = beside(cluster.dataDir);
      await archiveAll(cluster);
      const held = services.hold();
      const running = restore("--latest", "--yes");
      await expect.poll(() => services.calls().at(-1), { timeout: 30_000 }).toBe(`stop ${services.unit}`);
      world.s3.inject({
        operation: "ListObjectsV2",
        times: "always",
        fault: { type: "error", status: 403, code: "AccessDenied" },
      });
      held.release();
      const result = await running;
      world.s3.clearFaults();
      expect(result.status, result.stderr).toBe(32);
      expect(result.stderr).toContain("started everything again");
      expect(services.calls().slice(-4)).toEqual([
        "stop soar-aprs soar-api",
        `stop ${services.unit}`,
        `start ${services.unit}`,
        "start soar-aprs soar-api",
      ]);
      expect(beside(cluster.dataDir)).toEqual(before);
      expect(await count()).toBe(30_002);
    },
  );

  /** Until the server has stopped everything is there; what was planned then goes while expiry is told of it. */
  async function restoreWhileExpiring(given: Readonly<Record<string, string>>): Promise<ProgramResult> {
    const lease = { operation: "PutObject", key: /\/leases\// } as const;
    const second = world.s3.inject({ ...lease, skip: 1, fault: { type: "stall" } });
    const running = world.run("soar-restore", ["--latest", "--yes"], { settings: { ...settings, ...given } });
    const ended = await Promise.race([second.firstHit, running]);
    expect(ended, ended?.stderr).toBeUndefined();
    expect((await readClusterState(world.cluster.dataDir)).running).toBe(false);
    world.s3.inject({
      operation: ["GetObject", "HeadObject"],
      key: /\/backup\.json$/,
      times: "always",
      fault: { type: "error", status: 404, code: "NoSuchKey" },
    });
    second.release();
    const result = await running;
    world.s3.clearFaults();
    return result;
  }

  test(
    "a backup that expires when the server stands still lets everything run again",
    { timeout: 60_000 },
    async () => {
      const { cluster } = world;
      const before = beside(cluster.dataDir);
      const rows = await count();
      const result = await restoreWhileExpiring({});
      expect(result.stderr).toMatch(
        /has gone from .*; what was stopped for the restore was started again: the server of/,
      );
      expect(result.status).toBe(65);
      expect(services.calls().slice(-4)).toEqual([
        "stop soar-aprs soar-api",
        `stop ${services.unit}`,
        `start ${services.unit}`,
        "start soar-aprs soar-api",
      ]);
      expect(beside(cluster.dataDir)).toEqual(before);
      expect(await count()).toBe(rows);
    },
  );

  test(
    "where another restore has begun in the directory meanwhile, nothing is started in what that one writes",
    { timeout: 60_000 },
    async () => {
      const { cluster } = world;
      const lease = { operation: "PutObject", key: /\/leases\// } as const;
      const second = world.s3.inject({ ...lease, skip: 1, fault: { type: "stall" } });
      const running = restore("--latest", "--yes");
      const ended = await Promise.race([second.firstHit, running]);
      expect(ended, ended?.stderr).toBeUndefined();
      mkdirSync(inDataDir("soar-restore"), { mode: 0o700 });
      chownSync(inDataDir("soar-restore"), cluster.owner.uid, cluster.owner.gid);
      // As the other one holds it.
      const lock = createServer((socket) => socket.end(`${process.pid}\n`)).listen(inDataDir("soar-restore", "lock"));
      await once(lock, "listening");
      const calls = services.calls().length;
      second.release();
      const result = await running;
      world.s3.clearFaults();
      lock.close();
      rmSync(inDataDir("soar-restore"), { recursive: true });
      expect(result.status, result.stderr).toBe(94);
      expect(result.stderr).toMatch(
        /is at work there; what was stopped for the restore is not started while another restore is at work there: the server of .*, soar-aprs, soar-api/,
      );
      expect(services.calls().slice(calls)).toEqual([]);
      expect((await readClusterState(cluster.dataDir)).running).toBe(false);
      await cluster.start();
    },
  );

  test(
    "who ends the restore while the server stands still reads that it runs again, or that it does not and how to start it",
    { timeout: 60_000 },
    async () => {
      const { cluster } = world;
      const unmanaged = { PATH: process.env["PATH"] ?? "", BACKUP_APP_SERVICES: "" };
      const endWhileStopped = async (): Promise<ProgramResult> => {
        const lease = { operation: "PutObject", key: /\/leases\// } as const;
        const second = world.s3.inject({ ...lease, skip: 1, fault: { type: "stall" } });
        const program = world.start("soar-restore", ["--latest", "--yes"], { settings: { ...settings, ...unmanaged } });
        const ended = await Promise.race([second.firstHit, program.result]);
        expect(ended, ended?.stderr).toBeUndefined();
        program.kill("SIGTERM");
        const result = await program.result;
        second.release();
        world.s3.clearFaults();
        return result;
      };
      const runs = await endWhileStopped();
      expect(runs.status, runs.stderr).toBe(4);
      expect(runs.stderr).toMatch(
        /starting again what was stopped: the server of .*stopped by SIGTERM; what was stopped for the restore was started again: the server of/s,
      );
      expect(await count()).toBe(30_002);
      rmSync(`${cluster.dataDir}.log`);
      mkdirSync(`${cluster.dataDir}.log`);
      const failed = await endWhileStopped();
      rmSync(`${cluster.dataDir}.log`, { recursive: true });
      expect(failed.status, failed.stderr).toBe(4);
      expect(failed.stderr).toMatch(/stopped by SIGTERM; and what was stopped could not be started again: /);
      expect(failed.stderr).toContain("When the reason is gone: ");
      await cluster.start();
    },
  );

  test(
    "a server that nobody but its user controls runs again with what it was started with, or the command is said",
    { timeout: 60_000 },
    async () => {
      const { cluster } = world;
      const unmanaged = { PATH: process.env["PATH"] ?? "", BACKUP_APP_SERVICES: "" };
      const log = join(cluster.socketDir, "own.log");
      const options = "-c work_mem=5MB --maintenance-work-mem=7MB";
      await cluster.stop();
      await cluster.runProgram("pg_ctl", ["-D", cluster.dataDir, "-l", log, "-w", "-o", options, "start"]);
      const result = await restoreWhileExpiring(unmanaged);
      expect(result.stderr).toContain("was started again: the server of");
      expect(
        await cluster.query("SELECT current_setting('work_mem') AS a, current_setting('maintenance_work_mem') AS b"),
      ).toEqual([{ a: "5MB", b: "7MB" }]);
      rmSync(`${cluster.dataDir}.log`);
      mkdirSync(`${cluster.dataDir}.log`);
      const failed = await restoreWhileExpiring(unmanaged);
      rmSync(`${cluster.dataDir}.log`, { recursive: true });
      expect(failed.stderr).toMatch(/has gone from .*; and what was stopped could not be started again: /s);
      // Whoever runs the restore may give it as it is said.
      const [, command = ""] = /When the reason is gone: (.*)/.exec(failed.stderr) ?? [];
      expect(command).toContain(`pg_ctl -D ${cluster.dataDir} -o `);
      execFileSync("sh", ["-c", command], { stdio: "ignore", cwd: "/" });
      expect(await cluster.query("SELECT current_setting('work_mem') AS a")).toEqual([{ a: "5MB" }]);
      await cluster.stop();
      await cluster.start();
    },
  );
});

describe("discard-old", () => {
  const discard = (...args: readonly string[]): Promise<ProgramResult> =>
    world.run("soar-restore", ["discard-old", "--data-dir", world.cluster.dataDir, ...args]);

  test(
    "refuses while the restored server does not run, a directory that no restore kept, and without an answer",
    { timeout: 60_000 },
    async () => {
      const { cluster } = world;
      const before = beside(cluster.dataDir);
      expect(before).toHaveLength(2);
      expect(await discard("--yes", walDir)).toMatchObject({
        status: 95,
        stderr: expect.stringContaining(`no restore of '${cluster.dataDir}' kept it`),
      });
      mkdirSync(`${cluster.dataDir}.before-restore-mine`);
      expect(await discard("--yes", `${cluster.dataDir}.before-restore-mine`)).toMatchObject({ status: 95 });
      rmSync(`${cluster.dataDir}.before-restore-mine`, { recursive: true });
      expect(await discard()).toMatchObject({ status: 3, stderr: expect.stringContaining("removed for good") });
      await cluster.stop();
      expect(await discard("--yes")).toMatchObject({
        status: 82,
        stderr: expect.stringContaining("the restored server does not run"),
      });
      await cluster.start();
      expect(beside(cluster.dataDir)).toEqual(before);
    },
  );

  test(
    "removes what was kept, with what belonged to it elsewhere, and nothing of the server",
    { timeout: 60_000 },
    async () => {
      const { cluster } = world;
      const listed = JSON.parse((await discard("--dry-run", "--json")).stdout) as {
        kept: { bytes: number; outside: string[] }[];
      };
      expect(listed.kept).toHaveLength(2);
      for (const { bytes, outside } of listed.kept) expect([bytes > 1_000_000, outside.length]).toEqual([true, 2]);
      expect(await discard("--yes")).toMatchObject({ status: 0 });
      expect([cluster.dataDir, walDir, tablespace].flatMap(beside)).toEqual([]);
      expect(await count()).toBe(30_002);
      expect(await discard("--yes")).toMatchObject({ status: 0, stdout: expect.stringContaining("Nothing is kept") });
    },
  );
});
