import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { controlCommand, findServerControl } from "./server-control.ts";

let root: string;
let dataDir: string;
let server: ChildProcess | undefined;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "soar-control-")));
  dataDir = join(root, "data");
  mkdirSync(dataDir);
  mkdirSync(join(root, "bin"));
  server = undefined;
});
afterEach(() => {
  server?.kill();
  rmSync(root, { recursive: true });
});

/** A program of the system that answers by its arguments. */
function install(name: string, cases: string): void {
  writeFileSync(
    join(root, "bin", name),
    `#!/bin/sh\ncase "$*" in\n${cases}\n*) echo "unexpected: $*" >&2; exit 1;;\nesac\n`,
  );
  chmodSync(join(root, "bin", name), 0o755);
}

interface Systemd {
  readonly state?: string;
  /** Main processes of what runs. */
  readonly running?: Readonly<Record<string, number | undefined>>;
  /** Environment of what is installed. */
  readonly installed?: Readonly<Record<string, string>>;
}

/** A `systemctl` that answers as systemd's own, for units of which this is known. */
function installSystemd({ state = "running", running = {}, installed = {} }: Systemd): void {
  const main = Object.entries({ "cron.service": 1, "ssh.service": 0, ...running })
    .map(([unit, pid]) => `Id=${unit}\\nMainPID=${pid}\\n`)
    .join("\\n");
  const shown = Object.entries(installed).map(
    ([unit, environment]) =>
      `"show ${unit} --property=LoadState,Environment") printf 'LoadState=loaded\\nEnvironment=${environment}\\n';;`,
  );
  install(
    "systemctl",
    [
      `is-system-running) echo ${state}; [ ${state} = running ];;`,
      `"show *.service --property=Id,MainPID") printf '${main}';;`,
      ...shown,
      `"show "*" --property=LoadState,Environment") printf 'LoadState=not-found\\nEnvironment=\\n';;`,
    ].join("\n"),
  );
}

const installDebian = (directory = dataDir): void =>
  install(
    "pg_lsclusters",
    `--no-header) echo "15 main 5432 online postgres ${directory} /var/log/postgresql/postgresql-15-main.log";;`,
  );

/** As far as anybody can tell, a server: a process that works in the directory and is named by its pid file. */
function startServer(): number | undefined {
  server = spawn("cat", { cwd: dataDir });
  writeFileSync(join(dataDir, "postmaster.pid"), `${server.pid}\n${dataDir}\n`);
  return server.pid;
}

const find = (options: { readonly service?: string } = {}) =>
  findServerControl({
    dataDir,
    postgresMajor: 15,
    env: { PATH: `${join(root, "bin")}:/usr/bin:/bin`, PG_CLUSTER_CONF_ROOT: join(root, "etc") },
    ...options,
  });

describe("with systemd, the server's unit is", () => {
  test("the one whose main process it is, whatever it is called", async () => {
    installSystemd({
      running: { "postgresql@15-main.service": 4, "our-database.service": startServer() },
      installed: { "postgresql-15.service": `PGDATA=${dataDir}` },
    });
    installDebian();
    expect(await find()).toEqual({ kind: "systemd", unit: "our-database.service" });
  });

  test("Debian's, for a cluster of its list, running by hand or not at all", async () => {
    installSystemd({ state: "degraded" });
    installDebian();
    expect(await find()).toEqual({ kind: "systemd", unit: "postgresql@15-main.service" });
    startServer();
    expect(await find()).toEqual({ kind: "systemd", unit: "postgresql@15-main.service" });
  });

  test.each([
    [
      "postgresql-15.service",
      (directory: string) => `PGDATA=${directory}/ PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj`,
    ],
    ["postgresql.service", (directory: string) => `PGPORT=5432 PGDATA=${directory}`],
  ])("%s of RPM packages, when that is for this directory", async (unit, environment) => {
    installSystemd({ installed: { [unit]: environment(dataDir) } });
    installDebian("/elsewhere");
    const control = await find();
    expect(control).toEqual({ kind: "systemd", unit });
    expect(controlCommand(control, "stop", dataDir)).toEqual(["systemctl", "stop", unit]);
  });

  test.each([
    [
      "for another directory",
      { "postgresql-15.service": "PGDATA=/var/lib/pgsql/15/data", "postgresql.service": "PGDATA=/data" },
    ],
    ["for one whose name only begins alike", { "postgresql-15.service": "PGDATA=DIR2" }],
    ["of another major version", { "postgresql-16.service": "PGDATA=DIR" }],
    ["that names no directory", { "postgresql-15.service": "" }],
  ])("none %s: the server is controlled directly", async (_, installed) => {
    installSystemd({
      installed: Object.fromEntries(
        Object.entries(installed).map(([unit, environment]) => [unit, environment.replace("DIR", dataDir)]),
      ),
    });
    installDebian("/elsewhere");
    startServer();
    expect(await find()).toEqual({ kind: "pg_ctl" });
  });

  test("the one that the operator names", async () => {
    installSystemd({ running: { "other.service": startServer() } });
    expect(await find({ service: "postgresql@15-blue" })).toEqual({ kind: "systemd", unit: "postgresql@15-blue" });
  });
});

describe("without systemd in charge, as in a container,", () => {
  test("Debian's own command is used for a cluster of its list", async () => {
    installSystemd({ state: "offline", running: { "our-database.service": startServer() } });
    installDebian();
    const control = await find();
    expect(control).toEqual({ kind: "pg_ctlcluster", version: "15", name: "main" });
    expect(controlCommand(control, "stop", dataDir)).toEqual(["pg_ctlcluster", "15", "main", "stop", "-m", "fast"]);
  });

  test("the server is controlled directly, and a unit that is named cannot be", async () => {
    installDebian("/elsewhere");
    installSystemd({ state: "offline" });
    expect(await find()).toEqual({ kind: "pg_ctl" });
    await expect(find({ service: "postgresql" })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("systemd does not run here") as string,
    });
    rmSync(join(root, "bin", "systemctl"));
    expect(await find()).toEqual({ kind: "pg_ctl" });
  });
});
