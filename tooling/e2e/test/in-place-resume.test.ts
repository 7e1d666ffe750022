import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { readClusterState } from "@soar/pg-tools/cluster";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, ROOT, type SoarWorld } from "../src/soar-world.ts";

let world: SoarWorld;
/** Rows that were committed so far. Before every restore the newest of them are on the old disk only. */
let rows = 0;

beforeAll(async () => {
  world = await createSoarWorld({ installation: requireInstallation("pg_ctl"), initdbArgs: ["--wal-segsize=1"] });
  await world.cluster.query("CREATE TABLE t (a int)");
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  await archiveAll(world.cluster);
});
afterAll(() => world[Symbol.asyncDispose]());

const inDataDir = (...path: readonly string[]): string => join(world.cluster.dataDir, ...path);
const kept = (): string[] =>
  readdirSync(dirname(world.cluster.dataDir)).filter((name) =>
    name.startsWith(`${basename(world.cluster.dataDir)}.before-restore-`),
  );

function holds(text: string, ...path: readonly string[]): boolean {
  try {
    return readFileSync(inDataDir(...path), "utf8").includes(text);
  } catch {
    return false;
  }
}

/** Commits that the archiver never saw, and then the server is gone. */
async function loseServer(): Promise<void> {
  const { cluster } = world;
  await cluster.configure({ archive_command: "/bin/false" });
  await cluster.query("INSERT INTO t SELECT generate_series(1, 20000)");
  await cluster.query("INSERT INTO t VALUES (0)");
  rows += 20_001;
  await cluster.kill();
}

/** Kills the restore as soon as it has got there, and not later than at its end. */
async function killAt(reached: () => boolean): Promise<void> {
  const child = spawn(
    join(ROOT, "node_modules/.bin/soar-restore"),
    ["--env-file", world.envFile, "--latest", "--yes"],
    { cwd: world.directory, env: { PATH: process.env["PATH"] ?? "", HOME: world.directory }, stdio: "ignore" },
  );
  const ended = new Promise((resolve) => child.once("exit", resolve));
  while (!reached() && child.exitCode === null) await delay(1);
  expect(child.exitCode, "it ended before it got there").toBeNull();
  child.kill("SIGKILL");
  await ended;
}

const STEPS: readonly [string, () => boolean][] = [
  ["with the old data aside and nothing in its place", () => !existsSync(world.cluster.dataDir)],
  ["with the first files there", () => existsSync(inDataDir("base", "1"))],
  ["in the middle of replay", () => holds("restored log file", "soar-restore", "server.log")],
  ["with the server promoted and not proved", () => holds("archive recovery complete", "soar-restore", "server.log")],
  [
    "proved, with the server stopped to get its own settings back",
    () => holds('"phase":"finish"', "soar-restore", "restore.json") && !existsSync(inDataDir("postmaster.pid")),
  ],
];

test.each(STEPS)(
  "an in-place restore that is killed %s goes on: no commit of the old disk is missing, and it is kept once",
  { timeout: 120_000 },
  async (_, reached) => {
    const before = kept().length;
    await loseServer();
    await killAt(reached);
    const again = await world.run("soar-restore", ["--latest", "--yes", "--json"]);
    expect(again, again.stderr).toMatchObject({ status: 0 });
    expect(JSON.parse(again.stdout)).toMatchObject({
      outcome: "promoted",
      inPlace: true,
      keptAs: expect.stringContaining(".before-restore-"),
    });
    expect(await world.cluster.query("SELECT count(*)::int AS rows FROM t")).toEqual([{ rows }]);
    expect(kept()).toHaveLength(before + 1);
    expect(existsSync(inDataDir("soar-restore"))).toBe(false);
    expect(
      await world.cluster.query(
        "SELECT current_setting('archive_command') LIKE '%soar-wal-archive%' AS archives, current_setting('listen_addresses') AS addresses",
      ),
    ).toEqual([{ archives: true, addresses: "127.0.0.1" }]);
    // The next base is the new timeline's own, as an operator would have it.
    await archiveAll(world.cluster);
  },
);

test(
  "a server that an earlier restore left is not started again when the next one is impossible, and the failure says so",
  { timeout: 120_000 },
  async () => {
    const { cluster, s3 } = world;
    await cluster.kill();
    const paused = await world.run("soar-restore", ["--immediate", "--target-action", "pause", "--yes"]);
    expect(paused, paused.stderr).toMatchObject({ status: 0 });
    expect((await readClusterState(cluster.dataDir)).running).toBe(true);
    const lease = { operation: "PutObject", key: /\/leases\// } as const;
    const second = s3.inject({ ...lease, skip: 1, fault: { type: "stall" } });
    const running = world.run("soar-restore", ["--latest", "--yes"]);
    const ended = await Promise.race([second.firstHit, running]);
    expect(ended, ended?.stderr).toBeUndefined();
    s3.inject({
      operation: ["GetObject", "HeadObject"],
      key: /\/backup\.json$/,
      times: "always",
      fault: { type: "error", status: 404, code: "NoSuchKey" },
    });
    second.release();
    const result = await running;
    s3.clearFaults();
    expect(result.status, result.stderr).toBe(65);
    expect(result.stderr).toContain(
      `; what was stopped for the restore stays stopped: the server of '${cluster.dataDir}'`,
    );
    expect(result.stderr).toMatch(
      /plans with what is there now\. Nothing of the data was changed\. An earlier restore/,
    );
    expect((await readClusterState(cluster.dataDir)).running).toBe(false);
    const again = await world.run("soar-restore", ["--latest", "--yes"]);
    expect(again, again.stderr).toMatchObject({ status: 0 });
    expect(await cluster.query("SELECT count(*)::int AS rows FROM t")).toEqual([{ rows }]);
  },
);
