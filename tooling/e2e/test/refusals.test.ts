import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createTestCluster, requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort, type ProgramResult } from "@soar-tooling/test-bench";
import { openStore, readObject, type ObjectStore } from "@soar/storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveCommand, createSoarWorld, ROOT, runProgram, type SoarWorld } from "../src/soar-world.ts";
import { archiveAll, databaseTime } from "../src/archiving.ts";

/** One server with one backup, a hole that tests make and mend, and an end of its WAL. */
let world: SoarWorld;
/** The whole bucket, seen from behind the tools. */
let store: ObjectStore;
let portOfTheNewServer: number;
let instants: { beforeBackup: string; middle: string; afterAll: string };

beforeAll(async () => {
  const installation = requireInstallation("pg_ctl");
  portOfTheNewServer = await freePort();
  world = await createSoarWorld({ installation });
  const { cluster, s3 } = world;
  store = openStore({ url: `s3://${s3.bucket}`, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
  await cluster.query("CREATE TABLE t AS SELECT 1 AS a");
  const beforeBackup = await databaseTime(cluster);
  const backup = await world.run("soar-base-backup", []);
  if (backup.status !== 0) throw new Error(backup.stderr);
  const commits: string[] = [];
  for (let round = 0; round < 4; round += 1) {
    await cluster.query("INSERT INTO t VALUES (2)");
    commits.push(await databaseTime(cluster));
    await archiveAll(cluster);
  }
  instants = { beforeBackup, middle: commits[2] ?? "", afterAll: "2999-01-01 00:00:00+00" };
});

afterAll(async () => {
  await store.close();
  await world[Symbol.asyncDispose]();
});

const elsewhere = (name: string) => [
  "--data-dir",
  join(world.directory, name),
  "--port",
  String(portOfTheNewServer),
  "--yes",
];

function expectRefusal(
  result: ProgramResult,
  expected: { readonly status: number; readonly message: RegExp; readonly hint: RegExp },
): void {
  expect(result.status, result.stderr).toBe(expected.status);
  expect(result.stderr).toMatch(expected.message);
  expect(result.stderr).toMatch(expected.hint);
  // Two lines for a person, no stack of a program.
  expect(result.stderr).not.toMatch(/^\s+at /m);
}

describe("a restore is refused, before anything is touched,", () => {
  test("when there is no backup", async () => {
    const result = await world.run("soar-restore", [
      "--latest",
      "--bucket",
      "s3://soar-backup/empty",
      ...elsewhere("a"),
    ]);
    expectRefusal(result, {
      status: 60,
      message: /there is no repository in 's3:\/\/soar-backup\/empty'/,
      hint: /Check bucket and prefix/,
    });
    await using other = await createSoarWorld({ installation: world.cluster.installation });
    await archiveAll(other.cluster);
    const noBackup = await other.run("soar-restore", ["--latest", "--data-dir", join(other.directory, "x"), "--yes"]);
    expectRefusal(noBackup, {
      status: 65,
      message: /there is no complete backup in/,
      hint: /soar-base-backup takes a backup/,
    });
    expect(existsSync(join(other.directory, "x"))).toBe(false);
  });

  test("when the target lies before the end of the first backup", async () => {
    const result = await world.run("soar-restore", ["--target-time", instants.beforeBackup, ...elsewhere("b")]);
    expectRefusal(result, {
      status: 91,
      message: /lies before the end of backup/,
      hint: /later target or an older backup/,
    });
    expect(existsSync(join(world.directory, "b"))).toBe(false);
  });

  test("when the target lies after the last archived commit", async () => {
    const result = await world.run("soar-restore", ["--target-time", instants.afterAll, ...elsewhere("c")]);
    expectRefusal(result, {
      status: 92,
      message: /cannot be reached: the last commit in the bucket is of 20\d\d-/,
      hint: /Use --latest/,
    });
  });

  test("when a segment in the middle is missing, and it says which", async () => {
    const keys = [...world.s3.objects("soar-backup").keys()]
      .filter((key) => /wal\/[0-9A-F]{24}\.zst$/.test(key))
      .sort();
    const victim = keys.at(-3) ?? "";
    const name = victim.slice(victim.lastIndexOf("/") + 1, -4);
    const saved = await readObject(store, victim);
    await store.remove([victim]);
    try {
      const latest = await world.run("soar-restore", ["--latest", ...elsewhere("d")]);
      expectRefusal(latest, {
        status: 53,
        message: new RegExp(`WAL segment '${name}' is not in the bucket, although later ones are`),
        hint: /restore to a time before/,
      });
      const behind = await world.run("soar-restore", ["--target-time", instants.middle, ...elsewhere("d")]);
      expectRefusal(behind, { status: 53, message: new RegExp(name), hint: /soar-wal-archive/ });
      const verified = await world.run("soar-backup-verify", []);
      expectRefusal(verified, {
        status: 5,
        message: new RegExp(`'${name}'`),
        hint: /archive them with soar-wal-archive/,
      });
      // With a declaration, who gave it up and why.
      const declared = await world.run("soar-wal-archive", [
        "gap",
        "declare",
        "--data-dir",
        world.cluster.dataDir,
        "--from",
        name,
        "--to",
        name,
        "--reason",
        "lost with the old disk",
        "--no-base-backup",
        "--yes",
        "--spool",
        join(world.directory, "spool"),
      ]);
      expect(declared, declared.stderr).toMatchObject({ status: 0 });
      const givenUp = await world.run("soar-restore", ["--latest", ...elsewhere("d")]);
      expectRefusal(givenUp, {
        status: 53,
        message: /although later ones are: \S+@\S+ gave them up at 20\S+ \(lost with the old disk\)/,
        hint: /from a base backup that began behind/,
      });
      const listed = await world.run("soar-base-backup", ["list"]);
      expect(listed.stdout).toMatch(/given up by \S+@\S+: lost with the old disk/);
    } finally {
      await store.remove([...world.s3.objects("soar-backup").keys()].filter((key) => key.includes("config/gaps/")));
      await store.put(victim, saved);
    }
  });

  test("when a server runs in a directory that is not the one that was backed up", async () => {
    symlinkSync(world.cluster.dataDir, join(world.directory, "running"));
    const result = await world.run("soar-restore", [
      "--latest",
      "--data-dir",
      join(world.directory, "running"),
      "--yes",
    ]);
    expectRefusal(result, {
      status: 83,
      message: /a server with process id \d+ runs there/,
      hint: /pg_ctl -D .* stop/,
    });
  });

  test("when the directory is not empty", async () => {
    const directory = join(world.directory, "full");
    await mkdir(directory);
    await writeFile(join(directory, "letter.txt"), "dear diary");
    const result = await world.run("soar-restore", ["--latest", "--data-dir", directory, "--yes"]);
    expectRefusal(result, {
      status: 95,
      message: /it is not empty and holds 'letter.txt'/,
      hint: /Name an empty directory/,
    });
    expect(existsSync(join(directory, "letter.txt"))).toBe(true);
  });

  test("when the secret key is wrong", async () => {
    const result = await world.run("soar-restore", ["--latest", ...elsewhere("g")], {
      settings: { AWS_SECRET_ACCESS_KEY: "not-the-secret-key" },
    });
    expectRefusal(result, { status: 32, message: /./, hint: /AWS_SECRET_ACCESS_KEY/ });
    expect(result.stderr).not.toContain("not-the-secret-key");
  });

  test("when the endpoint cannot be reached", async () => {
    const result = await world.run(
      "soar-restore",
      ["--latest", ...elsewhere("h"), "--endpoint", "http://127.0.0.1:9"],
      { settings: { BACKUP_RETRY_DEADLINE: "1s" } },
    );
    expectRefusal(result, { status: 30, message: /127\.0\.0\.1:9/, hint: /./ });
  });

  test("when the bucket does not exist", async () => {
    const result = await world.run("soar-restore", [
      "--latest",
      "--bucket",
      "s3://no-such-bucket/x",
      ...elsewhere("i"),
    ]);
    expectRefusal(result, { status: 36, message: /no-such-bucket/, hint: /./ });
  });

  test("without a terminal and without --yes", async () => {
    const result = await world.run("soar-restore", ["--latest", "--data-dir", join(world.directory, "j")]);
    expectRefusal(result, { status: 3, message: /there is no terminal/, hint: /--yes/ });
    expect(existsSync(join(world.directory, "j"))).toBe(false);
  });
});

describe("another cluster", () => {
  test("gets neither a segment nor a backup into the repository", async () => {
    const { installation } = world.cluster;
    await using other = await createTestCluster({ installation, archiveCommand: archiveCommand(world.envFile) });
    await other.query("CREATE TABLE foreign_table AS SELECT 1 AS a");
    await other.query("SELECT pg_switch_wal()");
    await expect
      .poll(async () => await other.log(), { timeout: 30_000 })
      .toMatch(/belongs to another cluster: its system identifier is \d+/);
    const before = [...world.s3.objects().keys()];
    await other.configure({ archive_command: "/bin/true" });
    await archiveAll(other);
    const backup = await world.run("soar-base-backup", [], {
      settings: { PGHOST: other.connection.host, PGPORT: String(other.connection.port) },
    });
    expectRefusal(backup, { status: 61, message: /belongs to another cluster/, hint: /bucket or prefix of its own/ });
    expect([...world.s3.objects().keys()]).toEqual(before);
  });
});

describe("a base backup is refused", () => {
  test("with a wrong password, and the password stays secret", async () => {
    await using other = await createTestCluster({
      installation: world.cluster.installation,
      password: "correct-horse",
      settings: { archive_mode: "on", archive_command: "/bin/true" },
    });
    const result = await world.run("soar-base-backup", [], {
      settings: { PGHOST: other.connection.host, PGPORT: String(other.connection.port), PGPASSWORD: "battery-staple" },
    });
    expectRefusal(result, { status: 81, message: /password authentication failed/, hint: /./ });
    expect(result.stderr).not.toContain("battery-staple");
  });
});

describe("recovery stops instead of promoting", () => {
  test("when the installation of the restore command breaks while it runs", async () => {
    // Inside of the app's folder, so that its dependencies are found as in an installed package.
    const copy = mkdtempSync(join(ROOT, "apps/restore-cli/.broken-"));
    try {
      cpSync(join(ROOT, "apps/restore-cli/dist"), copy, { recursive: true });
      const dataDir = join(world.directory, "broken");
      const env = { ...world.settings, BACKUP_ENV_FILE: world.envFile };
      const stall = world.s3.inject({
        operation: "GetObject",
        key: /index\.zst$/,
        times: "always",
        fault: { type: "stall" },
      });
      const running = runProgram(
        [
          process.execPath,
          "--",
          join(copy, "main.js"),
          "--latest",
          "--data-dir",
          dataDir,
          "--port",
          String(portOfTheNewServer),
          "--yes",
        ],
        { settings: env, directory: world.directory },
      );
      await stall.firstHit;
      rmSync(join(copy, "main.js"));
      world.s3.clearFaults();
      const result = await running;
      // Also where the server was gone before it was seen to run.
      expectRefusal(result, { status: 96, message: /could not restore file|terminated|FATAL/i, hint: /server's log/ });
      expect(existsSync(join(dataDir, "recovery.signal"))).toBe(true);
    } finally {
      rmSync(copy, { recursive: true });
    }
  });
});
