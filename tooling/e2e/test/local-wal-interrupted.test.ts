import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { adoptTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { commitUnarchived, takeArchivedBackup, UNARCHIVED_ROWS } from "../src/commit-unarchived.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";
import { waitUntil } from "../src/wait-until.ts";

/** One server that is lost again and again, and restored by a command that is killed while clients write already. */
let world: SoarWorld;
/** Rows that were committed so far. */
let rows = 0;

beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation("pg_ctl"), initdbArgs: ["--wal-segsize=1"] });
  await world.cluster.query("CREATE TABLE t (a int)");
  await takeBackup();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.s3.clearFaults());

const takeBackup = (): Promise<void> => takeArchivedBackup(world);

async function insert(count: number): Promise<void> {
  await world.cluster.query("INSERT INTO t SELECT generate_series(1, $1)", [count]);
  rows += count;
}

const rowsThere = (): Promise<unknown> => world.cluster.query("SELECT count(*)::int AS rows FROM t");

/** Loses a server with commits that no archive command stored. Resolves to an instant in the middle, and the rows of then. */
async function loseServer(): Promise<{ readonly instant: string; readonly before: number }> {
  const instant = await commitUnarchived(world, insert);
  await world.cluster.kill();
  return { instant, before: rows - UNARCHIVED_ROWS };
}

/** Runs the command until it stores WAL of the old timeline, and ends it there. */
async function interruptWhileStoring(args: readonly string[], how: "SIGKILL" | "SIGTERM"): Promise<void> {
  const { s3 } = world;
  const planned = await world.run("soar-restore", ["plan", ...args, "--json"]);
  const { stores = [] } = JSON.parse(planned.stdout) as { stores?: string[] };
  expect(stores.length, planned.stdout).toBeGreaterThan(1);
  const stall = s3.inject({
    operation: "PutObject",
    key: new RegExp(`/wal/(?:${stores.join("|")})\\.zst`),
    skip: 1,
    fault: { type: "stall" },
  });
  const program = world.start("soar-restore", [...args, "--yes"]);
  const ended = await Promise.race([stall.firstHit, program.result]);
  expect(ended, ended?.stderr).toBeUndefined();
  program.kill(how);
  await program.result;
  s3.clearFaults();
}

/** As if the server had lived on for hours: a checkpoint of now, and a record of then. */
async function liveOn(): Promise<void> {
  const { cluster } = world;
  await cluster.query("CHECKPOINT");
  const then = new Date(Date.now() - 5 * 3600_000);
  utimesSync(join(cluster.dataDir, "soar-restore", "restore.json"), then, then);
}

test.each([
  ["--delta", "SIGKILL"],
  ["--discard-old-data", "SIGTERM"],
] as const)(
  "%s, ended by %s while it stores WAL behind the promotion: the same command stores the rest, and keeps what clients wrote since",
  { timeout: 180_000 },
  async (option, how) => {
    const { cluster } = world;
    await loseServer();
    const args = ["--latest", option];
    await interruptWhileStoring(args, how);
    await insert(5);
    const status = await world.run("soar-restore", ["status", "--data-dir", cluster.dataDir]);
    expect(status.stdout).toMatch(/phase: +the server was opened; WAL of this machine may be left to store/);
    const processId = cluster.pid();
    const shown = await world.run("soar-restore", ["plan", ...args]);
    expect(shown.stdout).toMatch(/its data is left alone, and WAL that only this machine has is stored/);
    expect(shown.stdout).not.toMatch(/IS OVERWRITTEN|^stops/m);
    const again = await world.run("soar-restore", [...args, "--yes", "--json"]);
    expect(again, again.stderr).toMatchObject({ status: 0 });
    const { localWal } = JSON.parse(again.stdout) as { localWal?: { archived: string[]; left: string[] } };
    expect(localWal?.left).toEqual([]);
    expect(localWal?.archived.length).toBeGreaterThan(0);
    expect(await rowsThere()).toEqual([{ rows }]);
    expect(cluster.pid()).toBe(processId);
    await takeBackup();
  },
);

test(
  "interrupted while it stores and given again hours later: production is not rewound, and its only WAL is not discarded untold",
  { timeout: 180_000 },
  async () => {
    const { cluster } = world;
    const { instant, before } = await loseServer();
    const args = ["--target-time", instant];
    await interruptWhileStoring(args, "SIGKILL");
    expect(await rowsThere()).toEqual([{ rows: before }]);
    rows = before;
    await insert(7);
    await liveOn();
    const processId = cluster.pid();
    const discard = ["discard-old", "--data-dir", cluster.dataDir, "--yes"];
    const refused = await world.run("soar-restore", discard);
    expect(refused).toMatchObject({ status: 82 });
    expect(refused.stderr).toMatch(/up to \d+ WAL files, from \/\S+\/pg_wal\/[0-9A-F]{24} on, may be in no repository/);
    expect(refused.stderr).toContain(`Give the command of that restore again (target: time ${instant}`.slice(0, 60));
    const again = await world.run("soar-restore", [...args, "--yes", "--json"]);
    expect(again, again.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(again.stdout)).toMatchObject({ localWal: { left: [] } });
    expect(await rowsThere()).toEqual([{ rows }]);
    expect(cluster.pid()).toBe(processId);
    const discarded = await world.run("soar-restore", discard);
    expect(discarded, discarded.stderr).toMatchObject({ status: 0 });
    await takeBackup();
  },
);

test(
  "a server that was stopped since is started again, and holds what clients wrote",
  { timeout: 180_000 },
  async () => {
    const { cluster } = world;
    await loseServer();
    const args = ["--latest", "--delta"];
    await interruptWhileStoring(args, "SIGKILL");
    await insert(9);
    await liveOn();
    await cluster.kill();
    const again = await world.run("soar-restore", [...args, "--yes", "--json"]);
    expect(again, again.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(again.stdout)).toMatchObject({ localWal: { left: [] } });
    expect(await rowsThere()).toEqual([{ rows }]);
    expect(readFileSync(join(cluster.dataDir, "PG_VERSION"), "utf8")).not.toBe("");
  },
);

const recordFile = (dataDir = world.cluster.dataDir): string => join(dataDir, "soar-restore", "restore.json");

/** Runs the command and kills it as soon as its record says that the server is opened. */
async function killWhenOpened(args: readonly string[], dataDir = world.cluster.dataDir): Promise<void> {
  const record = recordFile(dataDir);
  const program = world.start("soar-restore", [...args, "--yes"]);
  let isOver = false;
  void program.result.then(() => (isOver = true));
  await waitUntil("the server to be opened", () => {
    const isOpened = existsSync(record) && readFileSync(record, "utf8").includes('"phase":"opened"');
    return Promise.resolve(isOpened || isOver);
  });
  program.kill("SIGKILL");
  await program.result;
  expect(existsSync(record), "it had ended before").toBe(true);
}

test.each(["--delta", "--discard-old-data"])(
  "%s, killed while its server starts in its own right, without WAL that only this machine has: the same command never overwrites what clients wrote",
  { timeout: 240_000 },
  async (option) => {
    const { cluster } = world;
    await takeBackup();
    await insert(10);
    await archiveAll(cluster);
    await cluster.kill();
    const args = ["--latest", option];
    await killWhenOpened(args);
    // As an operator would, where it has not come to start it.
    if (cluster.pid() === undefined) await cluster.start();
    await insert(11);
    await liveOn();
    await cluster.stop();
    const shown = await world.run("soar-restore", ["plan", ...args]);
    expect(shown.stdout).toMatch(/its data is left alone, the server, which does not run, is started/);
    expect(shown.stdout).toContain(`soar-restore forget --data-dir ${cluster.dataDir}, then this command`);
    const again = await world.run("soar-restore", [...args, "--yes", "--json"]);
    expect(again, again.stderr).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("nothing was restored by this run"),
    });
    expect(JSON.parse(again.stdout)).toMatchObject({ finishedEarlier: { startedAt: expect.any(String) as string } });
    expect(await rowsThere()).toEqual([{ rows }]);
    await takeBackup();
  },
);

test(
  "a server that does not start again stays what it is, however often the command is given, until that restore is forgotten",
  { timeout: 240_000 },
  async () => {
    const { cluster } = world;
    await takeBackup();
    await cluster.kill();
    const backedUp = rows;
    const args = ["--latest", "--delta"];
    await killWhenOpened(args);
    if (cluster.pid() === undefined) await cluster.start();
    await insert(13);
    await cluster.stop();
    const settings = join(cluster.dataDir, "postgresql.auto.conf");
    const before = readFileSync(settings);
    appendFileSync(settings, "shared_preload_libraries = 'not_there'\n");
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const failed = await world.run("soar-restore", [...args, "--yes"]);
      expect(failed).toMatchObject({ status: 84 });
      expect(failed.stderr).toMatch(/its data is left alone\. When the reason is gone, give the same command again\./);
    }
    writeFileSync(settings, before);
    await cluster.start();
    expect(await rowsThere()).toEqual([{ rows }]);
    const forgotten = await world.run("soar-restore", ["forget", "--data-dir", cluster.dataDir, "--yes"]);
    expect(forgotten, forgotten.stderr).toMatchObject({ status: 0 });
    expect(forgotten.stdout).toContain("Forgotten");
    const again = await world.run("soar-restore", ["forget", "--data-dir", cluster.dataDir, "--yes"]);
    expect(again.stderr).toContain("none was interrupted there behind its recovery");
    const planned = await world.run("soar-restore", ["plan", ...args]);
    expect(planned.stdout).toMatch(/IS OVERWRITTEN/);
    rows = Math.max(rows, backedUp);
  },
);

test(
  "what was to be stored and is gone meanwhile is told as left, not as done, until it is given up",
  { timeout: 180_000 },
  async () => {
    const { cluster } = world;
    await loseServer();
    const args = ["--latest", "--delta"];
    await interruptWhileStoring(args, "SIGKILL");
    const { savedWal } = JSON.parse(readFileSync(recordFile(), "utf8")) as { savedWal: string };
    renameSync(savedWal, join(world.directory, "elsewhere"));
    const again = await world.run("soar-restore", [...args, "--yes"]);
    expect(again).toMatchObject({ status: 53, stdout: "" });
    expect(again.stderr).toMatch(new RegExp(`WAL from ${savedWal}/[0-9A-F]{24} on is not in the repository`));
    expect(await rowsThere()).toEqual([{ rows }]);
    expect(existsSync(recordFile())).toBe(true);
    const forgotten = await world.run("soar-restore", ["forget", "--data-dir", cluster.dataDir, "--yes"]);
    expect(forgotten, forgotten.stderr).toMatchObject({ status: 0 });
    await takeBackup();
  },
);

test(
  "when its backups have expired since, the same command stores the rest without a plan",
  { timeout: 180_000 },
  async () => {
    const { cluster, s3 } = world;
    await loseServer();
    const args = ["--latest", "--delta", "--data-dir", cluster.dataDir];
    await interruptWhileStoring(args, "SIGKILL");
    await insert(3);
    const processId = cluster.pid();
    // What may pass is no reason to do without a plan.
    s3.inject({
      operation: ["GetObject", "HeadObject"],
      key: /\/backup\.json$/,
      times: "always",
      fault: { type: "error", status: 403, code: "AccessDenied" },
    });
    const denied = await world.run("soar-restore", [...args, "--yes"]);
    s3.clearFaults();
    expect(denied.status, denied.stderr).not.toBe(0);
    expect(existsSync(recordFile())).toBe(true);
    s3.inject({
      operation: ["GetObject", "HeadObject"],
      key: /\/backup\.json$/,
      times: "always",
      fault: { type: "error", status: 404, code: "NoSuchKey" },
    });
    const again = await world.run("soar-restore", [...args, "--yes", "--json"]);
    s3.clearFaults();
    expect(again, again.stderr).toMatchObject({ status: 0 });
    const { localWal } = JSON.parse(again.stdout) as { localWal?: { archived: string[]; left: string[] } };
    expect(localWal?.left).toEqual([]);
    expect(localWal?.archived.length).toBeGreaterThan(0);
    expect(await rowsThere()).toEqual([{ rows }]);
    expect(cluster.pid()).toBe(processId);
    expect(existsSync(recordFile())).toBe(false);
    await takeBackup();
  },
);

test(
  "a copy that was interrupted behind the start of its server is restored anew a week later",
  { timeout: 180_000 },
  async () => {
    const { cluster } = world;
    await takeBackup();
    const dataDir = join(world.directory, "weekly");
    const args = ["--latest", "--delta", "--data-dir", dataDir, "--port", String(await freePort())];
    await killWhenOpened(args, dataDir);
    // A server that was being started goes on without the program.
    const isRunning = (): boolean => existsSync(join(dataDir, "postmaster.pid"));
    await waitUntil("a server of the copy to run, or none to be there", () =>
      Promise.resolve(isRunning() || spawnSync("pgrep", ["-f", dataDir]).status === 1),
    );
    await using copy = await adoptTestCluster({ installation: cluster.installation, dataDir, start: false });
    if (isRunning()) await copy.stop();
    const then = new Date(Date.now() - 7 * 24 * 3600_000);
    utimesSync(recordFile(dataDir), then, then);
    await insert(14);
    await archiveAll(cluster);
    const again = await world.run("soar-restore", [...args, "--yes", "--json"]);
    expect(again, again.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(again.stdout)).toMatchObject({
      outcome: "promoted",
      fetched: { keptBytes: expect.any(Number) as number },
    });
    expect(again.stdout).not.toContain("finishedEarlier");
    await copy.stop();
  },
);
