// @module-tag needs-postgres-clients
import { execFileSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort, type ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { archiveAll } from "../src/archiving.ts";
import { createSoarWorld, type SoarWorld } from "../src/soar-world.ts";

/**
 * A server that needs what no backup holds: certificate and key are links to where the administrator keeps them, one
 * database has a locale that only this server's environment knows. And it was made a standby that lags on purpose.
 */
let world: SoarWorld;
let secrets: string;
let backup: ProgramResult;

beforeAll(async () => {
  const installation = requireInstallation("psql");
  secrets = execFileSync("mktemp", ["-d", "/tmp/soar-secrets-XXXXXX"], { encoding: "utf8" }).trim();
  // The server's own locales, beside which it has those of C.
  const locales = join(secrets, "locale");
  mkdirSync(locales);
  execFileSync("localedef", ["-i", "de_DE", "-f", "UTF-8", join(locales, "de_DE.utf8")]);
  execFileSync("chmod", ["-R", "a+rX", secrets]);
  world = await createSoarWorld({
    installation,
    initdbArgs: ["--wal-segsize=1"],
    databases: ["soar"],
    settings: { recovery_min_apply_delay: "10min" },
    env: { LOCPATH: locales },
  });
  const { cluster } = world;
  for (const name of ["server.key", "server.crt"]) {
    const path = join(secrets, name);
    if (name === "server.key")
      execFileSync("openssl", [
        "req",
        "-new",
        "-x509",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-keyout",
        path,
        "-out",
        join(secrets, "server.crt"),
      ]);
    chownSync(path, cluster.owner.uid, cluster.owner.gid);
    execFileSync("chmod", ["600", path]);
    symlinkSync(path, join(cluster.dataDir, name));
  }
  await cluster.query("CREATE DATABASE berlin LC_COLLATE 'de_DE.UTF-8' LC_CTYPE 'de_DE.UTF-8' TEMPLATE template0");
  await cluster.query("ALTER SYSTEM SET ssl = on");
  await cluster.query("ALTER SYSTEM SET ssl_cert_file = './server.crt'");
  await cluster.restart();
  await cluster.query("CREATE TABLE devices AS SELECT n AS id FROM generate_series(1, 1000) n", [], "soar");
  backup = await world.run("soar-base-backup", ["--json"]);
  if (backup.status !== 0) throw new Error(backup.stderr);
  // Behind the end of the backup, where a standby begins to wait for each commit.
  await cluster.query("INSERT INTO devices VALUES (1001)", [], "soar");
  await archiveAll(cluster);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  execFileSync("rm", ["-rf", secrets]);
});

const restore = (...args: readonly string[]): Promise<ProgramResult> => world.run("soar-restore", args);

test("the backup tells what the server left out", () => {
  expect(backup.stderr).toMatch(/warn.*the server says: .*\.\/server\.key/);
  expect(JSON.parse(backup.stdout)).toMatchObject({
    leftOut: expect.arrayContaining(["server.key", "server.crt"]) as string[],
    warnings: expect.arrayContaining([expect.stringContaining("./server.key")]) as string[],
  });
});

test("the plan names what is missing, before anything is touched; a copy is recovered all the same", async () => {
  const dataDir = join(world.directory, "copy");
  const plan = await restore("plan", "--latest", "--data-dir", dataDir);
  for (const line of [
    /warning: +the server has ssl on and ssl_key_file = 'server\.key', which is in no backup and not on this host/,
    /warning: +the server has ssl on and ssl_cert_file = '\.\/server\.crt', which is in no backup and not on this host/,
    /warning: +this host does not have the locale 'de_DE\.UTF-8': nobody can enter database 'berlin'/,
  ])
    expect(plan.stdout).toMatch(line);
  const port = await freePort();
  const result = await restore("--latest", "--data-dir", dataDir, "--port", String(port), "--yes");
  // It was recovered and proved; what it lacks is said by the server itself.
  expect(result).toMatchObject({
    status: 84,
    stderr: expect.stringMatching(/recovery is over and proved[\s\S]*server\.crt/) as string,
  });
  for (const name of ["server.key", "server.crt"]) symlinkSync(join(secrets, name), join(dataDir, name));
  const again = await restore("--latest", "--data-dir", dataDir, "--port", String(port), "--yes");
  expect(again, again.stderr).toMatchObject({ status: 0 });
  execFileSync("kill", ["-INT", readFileSync(join(dataDir, "postmaster.pid"), "utf8").split("\n")[0] ?? ""]);
});

test("in its place the links are made again, no commit is waited for, and the locale is a finding of one database", async () => {
  const { cluster } = world;
  await cluster.kill();
  const plan = await restore("plan", "--latest");
  expect(plan.stdout).not.toMatch(/ssl_(?:key|cert)_file/);
  // What links lead to is in no backup and is not put aside: the plan calls nothing whole that is not.
  expect(plan.stdout).toMatch(
    /^what is there: +a cluster, which is kept as .*, but for that to which links in it lead$/m,
  );
  for (const name of ["server.key", "server.crt"])
    expect(plan.stdout).toContain(
      `${name}, to ${join(secrets, name)}, which stays where it is, in no kept copy: the link`,
    );
  const result = await restore("--latest", "--yes", "--json");
  expect(result, result.stderr).toMatchObject({ status: 0 });
  const { checks } = JSON.parse(result.stdout) as { checks: { findings: string[]; databases: number } };
  expect(checks.databases).toBe(3);
  expect(checks.findings).toEqual([expect.stringMatching(/^database 'berlin' cannot be entered: .*locale/)]);
  expect(readlinkSync(join(cluster.dataDir, "server.key"))).toBe(join(secrets, "server.key"));
  expect(
    await cluster.query("SELECT count(*)::int AS rows, current_setting('ssl') AS ssl FROM devices", [], "soar"),
  ).toEqual([{ rows: 1001, ssl: "on" }]);
});

test("links stay where the old data is overwritten", async () => {
  const { cluster } = world;
  await cluster.kill();
  const result = await restore("--latest", "--delta", "--yes");
  expect(result, result.stderr).toMatchObject({ status: 0 });
  expect(lstatSync(join(cluster.dataDir, "server.crt")).isSymbolicLink()).toBe(true);
});

test("a database that lies behind a link is in no backup, and none is taken as if it were", async () => {
  const { cluster } = world;
  const [row] = await cluster.query<{ oid: number }>("SELECT oid::int AS oid FROM pg_database WHERE datname = 'soar'");
  const directory = join(cluster.dataDir, "base", String(row?.oid));
  await cluster.stop();
  renameSync(directory, join(dirname(cluster.dataDir), "moved"));
  symlinkSync(join(dirname(cluster.dataDir), "moved"), directory);
  await cluster.start();
  const result = await world.run("soar-base-backup", ["--no-expire"]);
  expect(result).toMatchObject({ status: 67, stderr: expect.stringContaining(`base/${row?.oid}`) as string });
  expect(existsSync(directory)).toBe(true);
});
