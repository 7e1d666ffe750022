import { readdirSync, renameSync, watch } from "node:fs";
import { dirname, join } from "node:path";
import { connectSql } from "@soar/pg-tools/replication";
import { adoptTestCluster } from "@soar-tooling/postgres-clusters";
import { freePort } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createRestoreWorld, type RestoreWorld } from "./restore-world.ts";
import { succeed } from "./tablespace-world.ts";

/** The path of a socket in such a directory would be too long, so that the private one lies in /tmp. */
const LONG = "x".repeat(90);

let world: RestoreWorld;
beforeAll(async () => {
  world = await createRestoreWorld();
  await succeed(world, "soar-base-backup");
});
afterAll(() => world[Symbol.asyncDispose]());

const privateDirectories = (): string[] =>
  readdirSync("/tmp").filter((name) => /^soar-restore-[A-Za-z0-9]{6}$/.test(name));

/** Private directories that come while a test runs, and those of them that are left. */
function watchTmp(): { readonly seen: ReadonlySet<string>; left(): string[] } {
  const before = new Set(privateDirectories());
  const seen = new Set<string>();
  const watcher = watch("/tmp", (_, name) => {
    if (name !== null && privateDirectories().includes(name) && !before.has(name)) seen.add(name);
  });
  onTestFinished(() => watcher.close());
  return { seen, left: () => privateDirectories().filter((name) => !before.has(name)) };
}

async function restore(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { stdout } = await succeed(world, "soar-restore", "--immediate", "--yes", "--json", ...args);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("a copy leaves nothing in /tmp after shutdown, nor when it is finished", { timeout: 120_000 }, async () => {
  const tmp = watchTmp();
  const dataDir = join(world.directory, LONG);
  const port = await freePort();
  const args = ["--data-dir", dataDir, "--port", String(port)];
  expect(await restore(...args, "--target-action", "shutdown")).toMatchObject({ outcome: "shut-down" });
  expect(tmp.seen.size).toBe(1);
  expect(tmp.left()).toEqual([]);
  expect(await restore(...args)).toMatchObject({ outcome: "promoted" });
  expect(tmp.seen.size).toBe(2);
  expect(tmp.left()).toEqual([]);
  await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
  await copy.stop();
});

test("in place it stays while the server pauses, and is gone once that is finished", { timeout: 120_000 }, async () => {
  const tmp = watchTmp();
  const { cluster } = world;
  const dataDir = join(dirname(cluster.dataDir), LONG);
  const pgCtl = (...args: readonly string[]) => cluster.runProgram("pg_ctl", ["-D", dataDir, "-w", ...args]);
  await cluster.stop();
  renameSync(cluster.dataDir, dataDir);
  try {
    await pgCtl("-l", `${dataDir}.log`, "start");
    await succeed(world, "soar-base-backup");
    const paused = await restore("--data-dir", dataDir, "--target-action", "pause");
    expect(paused).toMatchObject({ inPlace: true, outcome: "paused" });
    expect(paused["privateDir"]).toMatch(/^\/tmp\/soar-restore-/);
    expect(tmp.left().map((name) => `/tmp/${name}`)).toEqual([paused["privateDir"]]);
    {
      const where = { host: String(paused["privateDir"]), port: cluster.port, user: "postgres", database: "postgres" };
      await using sql = await connectSql(where);
      await sql.query("SELECT pg_wal_replay_resume()");
    }
    expect(await restore("--data-dir", dataDir)).toMatchObject({ outcome: "promoted" });
    expect(tmp.left()).toEqual([]);
  } finally {
    await pgCtl("-m", "immediate", "stop");
    renameSync(dataDir, cluster.dataDir);
  }
});
