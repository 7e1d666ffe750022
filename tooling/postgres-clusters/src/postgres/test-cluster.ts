import { chmodSync, chownSync, mkdirSync, mkdtempSync, realpathSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  freePort,
  runAsServerUser,
  serverUser,
  type ProgramResult,
  type ServerProgramOptions,
  type ServerUser,
} from "@soar-tooling/test-bench";
import { createLifecycle, startOnItsPort, type ClusterLifecycle } from "./cluster-lifecycle.ts";
import type { AdoptOptions, Place, TestClusterOptions } from "./cluster-options.ts";
import { queryOnce, type Row, type TestConnection } from "./cluster-query.ts";
import { startClusterWatchdog, type ClusterWatchdog } from "./cluster-watchdog.ts";
import { initialize } from "./initialize.ts";
import type { PostgresInstallation } from "./installations.ts";
import { findPostmaster, killPostmaster } from "./postmaster.ts";

/** A PostgreSQL cluster of one test in a temporary directory that disappears with the test process. */
export interface TestCluster extends ClusterLifecycle {
  readonly installation: PostgresInstallation;
  readonly binDir: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly port: number;
  /** Holds the unix socket. */
  readonly socketDir: string;
  readonly owner: ServerUser;
  /** Over TCP on 127.0.0.1, as superuser `postgres`. */
  readonly connection: TestConnection;
  query<T extends Row = Row>(sql: string, params?: readonly unknown[], database?: string): Promise<T[]>;
  log(): Promise<string>;
  /** A fresh directory beside the data directory that belongs to the server's user, for a tablespace or anything else. */
  tablespaceDir(name: string): string;
  /** Runs a program of the installation as the server's user, with PGHOST and the like set for this cluster. */
  runProgram(name: string, args: readonly string[], options?: ServerProgramOptions): Promise<ProgramResult>;
  /** Stops the server and removes everything. */
  remove(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Longest path of a unix socket is 107 bytes, with `/.s.PGSQL.65535` at its end. */
const LONGEST_DIRECTORY = 80;

/** Creates a cluster with `initdb` and starts it on a free port. */
export async function createTestCluster(options: TestClusterOptions): Promise<TestCluster> {
  const base = createBaseDirectory();
  const port = await freePort();
  const place = { base, dataDir: join(base, "data"), socketDir: base, port };
  const watchdog = startClusterWatchdog(base, place.dataDir);
  try {
    await initialize(place, options);
    return await started(clusterAt(place, options, watchdog), options);
  } catch (error) {
    await discard(place, watchdog);
    throw error;
  }
}

/** A handle on a data directory that something else made. Runs on a port of its own, given on the command line. */
export async function adoptTestCluster(options: AdoptOptions): Promise<TestCluster> {
  const base = createBaseDirectory();
  const port = await freePort();
  const place = { base, dataDir: realpathSync(options.dataDir), socketDir: base, port };
  const watchdog = startClusterWatchdog(base, place.dataDir);
  const args = ["-c", `port=${port}`, "-c", `unix_socket_directories=${base}`, "-c", "listen_addresses=127.0.0.1"];
  try {
    return await started(clusterAt(place, options, watchdog, args), { ...options, databases: [] });
  } catch (error) {
    await discard(place, watchdog);
    throw error;
  }
}

function createBaseDirectory(): string {
  const parent = tmpdir().length > LONGEST_DIRECTORY - 20 ? "/tmp" : tmpdir();
  const base = realpathSync(mkdtempSync(join(parent, "soar-pg-")));
  chownSync(base, serverUser().uid, serverUser().gid);
  chmodSync(base, 0o755);
  return base;
}

async function discard({ base, dataDir }: Place, watchdog: ClusterWatchdog): Promise<void> {
  const pid = findPostmaster(dataDir)?.pid;
  if (pid !== undefined) await killPostmaster(pid);
  await rm(base, { recursive: true, force: true });
  await watchdog.dismiss();
}

async function started(
  cluster: TestCluster,
  options: Pick<TestClusterOptions, "start" | "databases">,
): Promise<TestCluster> {
  if (options.start === false) return cluster;
  await cluster.start();
  for (const name of options.databases ?? []) await cluster.query(`CREATE DATABASE "${name}"`);
  return cluster;
}

function clusterAt(
  place: Place,
  options: AdoptOptions | TestClusterOptions,
  watchdog: ClusterWatchdog,
  baseArgs: readonly string[] = [],
): TestCluster {
  const { dataDir, socketDir, port, base } = place;
  const { installation } = options;
  const logFile = join(base, "server.log");
  const secret = options.password === undefined ? {} : { password: options.password };
  const connection: TestConnection = { host: "127.0.0.1", port, user: "postgres", database: "postgres", ...secret };
  const start: ClusterLifecycle["start"] = ({ args = [], untilReady = true } = {}) =>
    startOnItsPort({
      binDir: installation.binDir,
      dataDir,
      user: serverUser(),
      logFile,
      args: [...baseArgs, ...args],
      env: { ...options.env },
      untilReady,
    });
  return {
    installation,
    binDir: installation.binDir,
    dataDir,
    logFile,
    port,
    socketDir,
    owner: serverUser(),
    connection,
    ...createLifecycle(dataDir, start),
    query: (sql, params, database = "postgres") => queryOnce({ ...connection, database }, sql, params),
    log: () => readFile(logFile, "utf8"),
    tablespaceDir: (name) => createOwnedDirectory(join(base, name)),
    runProgram: (name, args, program = {}) =>
      runAsServerUser(join(installation.binDir, name), args, {
        cwd: base,
        ...program,
        env: { ...programEnvironment(place, installation), ...program.env },
      }),
    remove: () => discard(place, watchdog),
    [Symbol.asyncDispose]: () => discard(place, watchdog),
  };
}

function createOwnedDirectory(path: string): string {
  mkdirSync(path, { mode: 0o700 });
  chownSync(path, serverUser().uid, serverUser().gid);
  return path;
}

function programEnvironment({ socketDir, port }: Place, { binDir }: PostgresInstallation): Record<string, string> {
  return {
    PGHOST: socketDir,
    PGPORT: String(port),
    PGUSER: "postgres",
    PGDATABASE: "postgres",
    PATH: `${binDir}:${process.env["PATH"] ?? ""}`,
  };
}
