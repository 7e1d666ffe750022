import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readObject } from "@soar/storage";
import { adoptTestCluster } from "@soar-tooling/postgres-clusters";
import { freePort, serverUser } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startRestore } from "./run-restore.ts";
import { createTablespaceWorld, elsewhere, succeed, type TablespaceWorld } from "./tablespace-world.ts";

const LABEL_OBJECT = /\/base\/[^/]+\/backup\.tar\.gz$/;
let world: TablespaceWorld;
beforeAll(async () => {
  world = await createTablespaceWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

/** What a server says that is started on a directory in which it should not start. */
function startServer(dataDir: string): { status: number | null; stderr: string } {
  const { uid, gid } = serverUser();
  return spawnSync(
    join(world.cluster.binDir, "postgres"),
    ["-D", dataDir, "-c", "listen_addresses=", "-c", `unix_socket_directories=${world.directory}`],
    { uid, gid, encoding: "utf8", timeout: 20_000 },
  );
}

describe("a restore that does not finish", () => {
  test("by kill -9 leaves a directory that no server starts in, and goes on the next time", async () => {
    const dataDir = join(world.directory, "killed");
    const stall = world.s3.inject({
      operation: "GetObject",
      key: /backup\.tar\.gz$/,
      skip: 1,
      times: "always",
      fault: { type: "stall" },
    });
    const { kill, result } = startRestore(
      ["--env-file", world.envFile, "--latest", "--data-dir", dataDir, "--jobs", "1", ...elsewhere(world, "killed")],
      { cwd: world.directory, env: world.env },
    );
    await stall.firstHit;
    kill("SIGKILL");
    await result;
    world.s3.clearFaults();
    expect(existsSync(join(dataDir, "global", "pg_control"))).toBe(false);
    const server = startServer(dataDir);
    expect(server.status, server.stderr).not.toBe(0);
    const again = await world.run(
      "soar-restore",
      "--latest",
      "--data-dir",
      dataDir,
      "--port",
      String(await freePort()),
      ...elsewhere(world, "killed"),
    );
    expect(again, again.stderr).toMatchObject({ status: 0 });
    await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
    await copy.stop();
  });

  test("because a member is damaged names the object and the place, and cannot be started", async () => {
    const [, key = ""] =
      /^one\/(.*)$/.exec([...world.s3.objects().keys()].find((name) => LABEL_OBJECT.test(`/${name}`)) ?? "") ?? [];
    const bytes = await readObject(world.store, key);
    const damaged = Buffer.from(bytes);
    const middle = damaged.length >> 1;
    damaged.writeUInt8(damaged.readUInt8(middle) ^ 0xff, middle);
    await world.store.remove([key]);
    await world.store.put(key, damaged);
    try {
      const dataDir = join(world.directory, "damaged");
      const outcome = await world.run(
        "soar-restore",
        "--latest",
        "--data-dir",
        dataDir,
        ...elsewhere(world, "damaged"),
      );
      expect(outcome.status, outcome.stderr).toBe(63);
      expect(outcome.stderr).toMatch(/backup\.tar\.gz' from byte \d+/);
      expect(existsSync(join(dataDir, "global", "pg_control"))).toBe(false);
      expect(startServer(dataDir).status).not.toBe(0);
    } finally {
      await world.store.remove([key]);
      await world.store.put(key, bytes);
    }
  });
});

describe("before anything is touched", () => {
  test("--dry-run shows the plan, for people and for programs, and changes nothing", async () => {
    const dataDir = join(world.directory, "planned");
    const where = [
      "--data-dir",
      dataDir,
      "--tablespace-map",
      `${world.tablespace}=${join(world.directory, "planned-fast")}`,
    ];
    const json = await succeed(world, "soar-restore", "--latest", "--dry-run", "--json", ...where);
    const plan = JSON.parse(json.stdout) as Record<string, unknown>;
    expect(plan).toMatchObject({
      version: 1,
      repository: "s3://restore-cli/one",
      target: { kind: "latest" },
      backup: { label: expect.stringMatching(/^20\d\d-\d\d-\d\d$/), timeline: 1 },
      timeline: 1,
      stopLsn: expect.stringMatching(/^0\/[0-9A-F]+$/),
      lastReplayed: { lsn: expect.any(String), time: expect.stringMatching(/\+00$/) },
      wal: { segments: expect.any(Number), holes: [] },
      fetchBytes: { backup: expect.any(Number), wal: expect.any(Number) },
      dataDir,
      inPlace: false,
      passedOver: [],
      warnings: [],
      nearby: { replayed: expect.any(Number), leftOut: 0, isComplete: true },
      download: { sampleBytes: expect.any(Number), bytesPerSecond: expect.any(Number), totalMs: expect.any(Number) },
      programs: { directory: world.cluster.binDir, version: expect.stringMatching(/^\d+\.\d+$/) },
      freeBytes: expect.any(Number),
      // Larger than what the backup knows: as the server was started with later in the WAL.
      minimums: { max_connections: 40, max_wal_senders: 12, max_prepared_transactions: 7 },
      checks: ["cluster", "backup", "WAL", "target", "directory", "room", "programs", "tablespaces"].map((name) => ({
        name,
        outcome: "passed",
        detail: expect.any(String),
      })),
    });
    const words = await succeed(world, "soar-restore", "plan", "--latest", ...where);
    expect(words.stdout).toMatch(/^repository: +s3:\/\/restore-cli\/one\ntarget: +latest/);
    const time = await succeed(
      world,
      "soar-restore",
      "plan",
      "--target-lsn",
      String(plan["stopLsn"]).replace(/.$/, "0"),
      "--json",
      ...where,
    ).catch((error: Error) => error.message);
    expect(time).toMatch(/cannot be reached|"kind": ?"lsn"/);
    expect(existsSync(dataDir)).toBe(false);
  });

  test("a command that has done its work ends, on a busy machine, too", { timeout: 120_000 }, async () => {
    // Node may hang at its end (nodejs/node#54918): before that was seen to, one of twenty of these runs did.
    let left = 60;
    const work = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const outcome = await succeed(
          world,
          "soar-restore",
          "--latest",
          "--dry-run",
          "--json",
          "--data-dir",
          join(world.directory, "planned"),
          "--tablespace-map",
          `${world.tablespace}=${join(world.directory, "planned-fast")}`,
        );
        expect(outcome.status).toBe(0);
      }
    };
    await Promise.all(Array.from({ length: 6 }, work));
  });

  test("a plan that this machine stands against is shown with what failed, and refused", async () => {
    const outcome = await world.run(
      "soar-restore",
      "plan",
      "--latest",
      "--target-timeline",
      "latest",
      "--data-dir",
      world.directory,
      "--json",
    );
    expect(outcome).toMatchObject({ status: 95, stderr: expect.stringContaining("it is not empty and holds") });
    const { checks } = JSON.parse(outcome.stdout) as { checks: readonly unknown[] };
    expect(checks.at(-1)).toEqual({
      name: "this machine",
      outcome: "failed",
      detail: expect.stringContaining("it is not empty and holds"),
    });
    expect(await world.run("soar-restore", "plan", "--latest", "--target-timeline", "newest")).toMatchObject({
      status: 90,
      stderr: expect.stringContaining("timeline 'newest'"),
    });
  });

  test("without a terminal and without --yes nothing is done", async () => {
    const dataDir = join(world.directory, "unconfirmed");
    const outcome = await world.run(
      "soar-restore",
      "--latest",
      "--data-dir",
      dataDir,
      "--tablespace-map",
      `${world.tablespace}=${join(world.directory, "unconfirmed-fast")}`,
    );
    expect(outcome).toMatchObject({ status: 3, stderr: expect.stringMatching(/there is no terminal[^]*--yes/) });
    expect(existsSync(dataDir)).toBe(false);
  });
});
