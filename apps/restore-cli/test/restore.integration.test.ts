import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connectSql } from "@soar/pg-tools";
import { readObject } from "@soar/storage";
import { adoptTestCluster } from "@soar-tooling/postgres-clusters";
import { freePort, type ProgramResult, serverUser } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createRestoreWorld, ownedDirectory, type RestoreWorld } from "./restore-world.ts";
import { startRestore } from "./run-restore.ts";

const ROOT_BIN = fileURLToPath(new URL("../../../node_modules/.bin", import.meta.url));
const LABEL_OBJECT = /\/base\/[^/]+\/backup\.tar\.gz$/;
let world: RestoreWorld;
let tablespace: string;

beforeAll(async () => {
  world = await createRestoreWorld({
    settings: { max_connections: 10, max_wal_senders: 4, max_prepared_transactions: 2 },
  });
  const { cluster } = world;
  tablespace = cluster.tablespaceDir("fast");
  await cluster.query(`CREATE TABLESPACE fast LOCATION '${tablespace}'`);
  await cluster.query("CREATE TABLE rows (n int)");
  await cluster.query("CREATE TABLE far (n int) TABLESPACE fast");
  await cluster.query("INSERT INTO far SELECT generate_series(1, 1000)");
  await run("soar-base-backup");
  // Larger limits than the backup knows: WAL says so, and a hot standby with the old ones would stop there (safety, trap 37).
  await cluster.configure({ max_connections: 40, max_wal_senders: 12, max_prepared_transactions: 7 });
  await cluster.restart();
  await cluster.query("INSERT INTO rows SELECT generate_series(1, 500)");
  await cluster.query("SELECT pg_create_restore_point('raised')");
  await cluster.query("DO $$ BEGIN PERFORM pg_switch_wal(); END $$");
  await vi.waitFor(
    async () => {
      const [state] = await cluster.query<{ done: boolean | null }>(
        "SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn()) AS done FROM pg_stat_archiver",
      );
      if (state?.done !== true) throw new Error("not archived yet");
    },
    { timeout: 30_000, interval: 50 },
  );
});
afterAll(() => world[Symbol.asyncDispose]());

async function run(binary: string, ...args: readonly string[]): Promise<ProgramResult> {
  const outcome = await world.run(binary, ...args);
  if (outcome.status !== 0) throw new Error(`${binary}: ${outcome.stderr}`);
  return outcome;
}

const elsewhere = (name: string) => [
  "--tablespace-map",
  `${tablespace}=${join(world.directory, `${name}-fast`)}`,
  "--yes",
];
const walKeys = () => [...world.s3.objects().keys()].filter((key) => key.includes("/wal/"));

/** What a server says that is started on a directory in which it should not start. */
function startServer(dataDir: string): { status: number | null; stderr: string } {
  const { uid, gid } = serverUser();
  return spawnSync(
    join(world.cluster.binDir, "postgres"),
    ["-D", dataDir, "-c", "listen_addresses=", "-c", `unix_socket_directories=${world.directory}`],
    { uid, gid, encoding: "utf8", timeout: 20_000 },
  );
}

describe("a copy beside the source", () => {
  test(
    "holds every row, in its own tablespace, and cannot archive into the source's repository, also after a restart",
    { timeout: 120_000 },
    async () => {
      // Made by hand, with a mode that PostgreSQL refuses.
      const dataDir = ownedDirectory(world, "copy", 0o755);
      const port = await freePort();
      const { stdout } = await run(
        "soar-restore",
        "--latest",
        "--data-dir",
        dataDir,
        "--port",
        String(port),
        "--json",
        ...elsewhere("copy"),
      );
      expect(JSON.parse(stdout)).toMatchObject({ version: 1, outcome: "promoted", timeline: 2, fenced: true, dataDir });
      const before = walKeys();
      await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
      await copy.stop();
      await copy.start();
      expect(
        await copy.query(
          "SELECT (SELECT count(*)::int FROM rows) AS rows, (SELECT count(*)::int FROM far) AS far, current_setting('archive_mode') AS archive_mode, current_setting('archive_command') AS command, current_setting('hot_standby') AS hot_standby",
        ),
      ).toEqual([{ rows: 500, far: 1000, archive_mode: "off", command: "(disabled)", hot_standby: "on" }]);
      expect(
        await copy.query("SELECT pg_tablespace_location(oid) AS location FROM pg_tablespace WHERE spcname = 'fast'"),
      ).toEqual([{ location: join(world.directory, "copy-fast") }]);
      await copy.query("CREATE TABLE takes_writes AS SELECT 1 AS n");
      // Somebody switches archiving on again, and tries by hand.
      await copy.query(`ALTER SYSTEM SET archive_mode = 'on'`);
      await copy.query(
        `ALTER SYSTEM SET archive_command = '${join(ROOT_BIN, "soar-wal-archive")} --env-file ${world.envFile} %p %f'`,
      );
      await copy.restart();
      await copy.query("SELECT pg_switch_wal()");
      await expect
        .poll(() => copy.log(), { timeout: 30_000 })
        .toMatch(/unable to archive from '.*': it is a copy of the cluster that the repository belongs to/);
      const byHand = await world.run(
        "soar-wal-archive",
        join(dataDir, "pg_wal", "00000002.history"),
        "00000002.history",
      );
      expect(byHand).toMatchObject({
        status: 61,
        stderr: expect.stringContaining(`soar-restore adopt --data-dir '${dataDir}'`),
      });
      expect(walKeys()).toEqual(before);
      await copy.stop();
      // A finished restore holds data: nobody is told to remove it.
      const again = await world.run("soar-restore", "--latest", "--data-dir", dataDir, ...elsewhere("again"));
      expect(again.status, again.stderr).toBe(94);
      expect(again.stderr).toMatch(/it holds a cluster with system identifier \d+/);
      expect(again.stderr).not.toMatch(/rm -r/);
    },
  );

  test(
    "has its WAL in a directory of its own, if one is named, also when it was interrupted before",
    { timeout: 120_000 },
    async () => {
      const [dataDir, walDir] = [ownedDirectory(world, "linked"), join(world.directory, "linked-wal")];
      const planned = [
        "--latest",
        "--data-dir",
        dataDir,
        "--wal-dir",
        walDir,
        "--tablespace-map",
        `${tablespace}=${join(world.directory, "linked-fast")}`,
      ];
      const args = [...planned, "--port", String(await freePort()), "--yes"];
      for (const [place, message] of [
        [join(dataDir, "wal"), "lie in each other"],
        [world.cluster.dataDir, "it is not empty"],
        [join(world.directory, "no", "wal"), "its parent directory does not exist"],
      ] as const) {
        const refused = await world.run("soar-restore", ...args.map((word) => (word === walDir ? place : word)));
        expect(refused, refused.stderr).toMatchObject({
          status: expect.any(Number),
          stdout: "",
          stderr: expect.stringContaining(message),
        });
        expect(refused.status).toBeGreaterThan(0);
      }
      world.s3.inject({
        operation: "GetObject",
        key: LABEL_OBJECT,
        fault: { type: "error", status: 403, code: "AccessDenied" },
      });
      expect(await world.run("soar-restore", ...args)).toMatchObject({ status: 32 });
      const words = await run("soar-restore", "plan", ...planned);
      expect(words.stdout).toMatch(new RegExp(`^WAL directory: +${walDir}, to which pg_wal is a link`, "m"));
      await run("soar-restore", ...args);
      expect(readlinkSync(join(dataDir, "pg_wal"))).toBe(walDir);
      expect([statSync(walDir).mode & 0o777, statSync(walDir).uid]).toEqual([0o700, statSync(dataDir).uid]);
      await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
      await copy.stop();
      await copy.start();
      expect(await copy.query("SELECT count(*)::int AS rows FROM rows")).toEqual([{ rows: 500 }]);
      expect(readdirSync(walDir).filter((name) => /^[0-9A-F]{24}$/.test(name)).length).toBeGreaterThan(0);
      await copy.stop();
    },
  );

  test(
    "that shuts down or pauses at its target is fenced too, before anybody starts it, and is opened by the same command",
    { timeout: 120_000 },
    async () => {
      const dataDir = join(world.directory, "down");
      const port = await freePort();
      const restoreWith = async (action: string): Promise<unknown> =>
        JSON.parse(
          (
            await run(
              "soar-restore",
              "--immediate",
              "--target-action",
              action,
              "--data-dir",
              dataDir,
              "--port",
              String(port),
              "--json",
              ...elsewhere("down"),
            )
          ).stdout,
        );
      expect(await restoreWith("shutdown")).toMatchObject({ outcome: "shut-down", fenced: true });
      expect(readFileSync(join(dataDir, "postgresql.auto.conf"), "utf8")).toMatch(/^archive_mode = 'off'$/m);
      expect(existsSync(join(dataDir, "recovery.signal"))).toBe(true);
      expect(await restoreWith("pause")).toMatchObject({ outcome: "paused" });
      await using sql = await connectSql({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
      expect(await sql.query("SELECT count(*)::int AS rows, pg_is_in_recovery() AS recovering FROM rows")).toEqual([
        { rows: 0, recovering: true },
      ]);
      await sql.query("SELECT pg_wal_replay_resume()");
      expect(await restoreWith("promote")).toMatchObject({ outcome: "promoted", fenced: true });
      expect([existsSync(join(dataDir, "recovery.signal")), existsSync(join(dataDir, "soar-restore"))]).toEqual([
        false,
        false,
      ]);
      expect(readFileSync(join(dataDir, "postgresql.auto.conf"), "utf8")).not.toContain("recovery_target");
      await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
      await copy.stop();
    },
  );

  test(
    "lets people in at a target behind which the source had been given larger limits",
    { timeout: 120_000 },
    async () => {
      const dataDir = join(world.directory, "raised");
      const port = await freePort();
      const { stdout } = await run(
        "soar-restore",
        "--target-name",
        "raised",
        "--target-action",
        "pause",
        "--data-dir",
        dataDir,
        "--port",
        String(port),
        "--json",
        ...elsewhere("raised"),
      );
      expect(JSON.parse(stdout)).toMatchObject({ outcome: "paused" });
      await using sql = await connectSql({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
      expect(
        await sql.query(
          "SELECT count(*)::int AS rows, current_setting('max_connections')::int AS limit, pg_get_wal_replay_pause_state() AS state FROM rows",
        ),
      ).toEqual([{ rows: 500, limit: 40, state: "paused" }]);
      await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
      await copy.stop();
    },
  );

  test("is refused where the tablespace's old place is in use", async () => {
    const dataDir = join(world.directory, "clash");
    const outcome = await world.run("soar-restore", "--latest", "--data-dir", dataDir, "--yes");
    expect(outcome).toMatchObject({
      status: 94,
      stderr: expect.stringContaining(`--tablespace-map '${tablespace}=/new/directory'`),
    });
    expect(existsSync(dataDir)).toBe(false);
  });
});

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
      ["--env-file", world.envFile, "--latest", "--data-dir", dataDir, "--jobs", "1", ...elsewhere("killed")],
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
      ...elsewhere("killed"),
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
      const outcome = await world.run("soar-restore", "--latest", "--data-dir", dataDir, ...elsewhere("damaged"));
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
    const where = ["--data-dir", dataDir, "--tablespace-map", `${tablespace}=${join(world.directory, "planned-fast")}`];
    const json = await run("soar-restore", "--latest", "--dry-run", "--json", ...where);
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
    const words = await run("soar-restore", "plan", "--latest", ...where);
    expect(words.stdout).toMatch(/^repository: +s3:\/\/restore-cli\/one\ntarget: +latest/);
    const time = await run(
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
        const outcome = await run(
          "soar-restore",
          "--latest",
          "--dry-run",
          "--json",
          "--data-dir",
          join(world.directory, "planned"),
          "--tablespace-map",
          `${tablespace}=${join(world.directory, "planned-fast")}`,
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
      `${tablespace}=${join(world.directory, "unconfirmed-fast")}`,
    );
    expect(outcome).toMatchObject({ status: 3, stderr: expect.stringMatching(/there is no terminal[^]*--yes/) });
    expect(existsSync(dataDir)).toBe(false);
  });
});

test("a copy that is adopted on purpose archives what it could not before", { timeout: 120_000 }, async () => {
  const dataDir = join(world.directory, "copy");
  expect(await world.run("soar-restore", "adopt", "--data-dir", dataDir)).toMatchObject({
    status: 3,
    stderr: expect.stringContaining("that cluster must not run any more"),
  });
  expect(await world.run("soar-restore", "adopt", "--data-dir", dataDir, "--yes")).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("soar-base-backup"),
  });
  await using copy = await adoptTestCluster({ installation: world.cluster.installation, dataDir });
  await expect.poll(() => walKeys().some((key) => key.endsWith("/00000002.history")), { timeout: 60_000 }).toBe(true);
  expect(await copy.query("SHOW archive_mode")).toEqual([{ archive_mode: "on" }]);
  expect(await world.run("soar-restore", "adopt", "--data-dir", dataDir, "--yes")).toMatchObject({
    status: 64,
    stderr: expect.stringContaining("it is no copy"),
  });
  await copy.stop();
});

test(
  "a cluster whose configuration lies outside of its directory, as on Debian, comes back in place with that, and elsewhere with a copy of it; on an empty host it is put back",
  { timeout: 180_000 },
  async () => {
    await using debian = await createRestoreWorld({ start: false, settings: { max_connections: 17 } });
    const { cluster, directory } = debian;
    const major = String(cluster.installation.major);
    const etc = join(directory, "etc", major, "main");
    mkdirSync(etc, { recursive: true });
    appendFileSync(
      join(cluster.dataDir, "postgresql.conf"),
      `data_directory = '${cluster.dataDir}'\nhba_file = '${join(etc, "pg_hba.conf")}'\nident_file = '${join(etc, "pg_ident.conf")}'\ninclude_dir = 'conf.d'\n`,
    );
    mkdirSync(join(etc, "conf.d"));
    writeFileSync(join(etc, "conf.d", "own.conf"), "work_mem = '5MB'\n");
    for (const file of ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"])
      renameSync(join(cluster.dataDir, file), join(etc, file));
    execFileSync("chown", ["-R", `${serverUser().uid}:${serverUser().gid}`, etc]);
    await cluster.start({ args: ["-c", `config_file=${join(etc, "postgresql.conf")}`] });
    await cluster.query("CREATE TABLE rows AS SELECT generate_series(1, 10) AS n");
    const backup = await debian.run("soar-base-backup");
    expect(backup.status, backup.stderr).toBe(0);
    const dataDir = join(directory, "copy");
    const copied = await debian.run(
      "soar-restore",
      "--latest",
      "--data-dir",
      dataDir,
      "--port",
      String(await freePort()),
      "--yes",
      "--json",
    );
    expect(copied.status, copied.stderr).toBe(0);
    expect(readFileSync(join(dataDir, "postgresql.conf"), "utf8")).toContain("max_connections");
    for (const file of ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"])
      expect(statSync(join(dataDir, file)).uid).toBe(serverUser().uid);
    await using copy = await adoptTestCluster({ installation: cluster.installation, dataDir, start: false });
    await copy.stop();
    await cluster.kill();
    rmSync(cluster.dataDir, { recursive: true });
    const inPlace = await debian.run("soar-restore", "--latest", "--yes", "--json");
    expect(inPlace.status, inPlace.stderr).toBe(0);
    expect(JSON.parse(inPlace.stdout)).toMatchObject({ fenced: false, dataDir: cluster.dataDir });
    expect(
      await cluster.query(
        "SELECT count(*)::int AS rows, current_setting('config_file') AS config, current_setting('max_connections') AS max, current_setting('archive_mode') AS archive_mode FROM rows",
      ),
    ).toEqual([{ rows: 10, config: join(etc, "postgresql.conf"), max: "17", archive_mode: "on" }]);
    await cluster.stop();

    // A new machine: nothing but the repository and the env file, and the package's own configuration for a new cluster.
    rmSync(cluster.dataDir, { recursive: true });
    rmSync(join(etc, "pg_hba.conf"));
    writeFileSync(join(etc, "postgresql.conf"), "# of the package\nmax_connections = 100\n");
    symlinkSync(join(cluster.socketDir, "debian.log"), join(etc, "log"));
    writeFileSync(join(cluster.socketDir, "debian.log"), "");
    execFileSync("chown", [
      "-R",
      `${serverUser().uid}:${serverUser().gid}`,
      etc,
      join(cluster.socketDir, "debian.log"),
    ]);
    const refused = await debian.run(
      "soar-restore",
      "--latest",
      "--with-config",
      "--data-dir",
      join(directory, "elsewhere"),
      "--yes",
    );
    expect(refused).toMatchObject({
      status: 64,
      stderr: expect.stringContaining("--with-config goes with a restore into"),
    });
    const { result } = startRestore(["--env-file", debian.envFile, "--latest", "--with-config", "--yes", "--json"], {
      cwd: directory,
      env: { ...debian.env, PG_CLUSTER_CONF_ROOT: join(directory, "etc") },
    });
    const anew = await result;
    expect(anew.status, anew.stderr).toBe(0);
    expect(anew.stderr).toContain(
      `${join(etc, "postgresql.conf")} is put back, and what is there kept beside it:\n  -# of the package\n  -max_connections = 100\n  +`,
    );
    expect(anew.stderr).toContain(`${join(etc, "pg_hba.conf")} is put back; there is none`);
    expect(
      readFileSync(
        join(etc, readdirSync(etc).find((name) => name.startsWith("postgresql.conf.before-restore-")) ?? ""),
        "utf8",
      ),
    ).toContain("# of the package");
    for (const file of ["postgresql.conf", "pg_hba.conf", "conf.d/own.conf"])
      expect(statSync(join(etc, file)).uid).toBe(serverUser().uid);
    // Where Debian's programs are, they run it.
    expect(JSON.parse(anew.stdout)).toMatchObject({
      fenced: false,
      stopCommand: existsSync("/usr/bin/pg_ctlcluster")
        ? `pg_ctlcluster ${major} main stop -m fast`
        : expect.stringContaining("pg_ctl"),
    });
    expect(
      await cluster.query(
        "SELECT count(*)::int AS rows, current_setting('config_file') AS config, current_setting('max_connections') AS max, current_setting('work_mem') AS work_mem FROM rows",
      ),
    ).toEqual([{ rows: 10, config: join(etc, "postgresql.conf"), max: "17", work_mem: "5MB" }]);
  },
);
