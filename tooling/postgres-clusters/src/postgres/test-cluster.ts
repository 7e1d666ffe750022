import { chmodSync, chownSync, mkdirSync, mkdtempSync, realpathSync } from "node:fs";
import { appendFile, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { queryOnce, type Row, type TestConnection } from "./cluster-query.ts";
import { startClusterWatchdog, type ClusterWatchdog } from "./cluster-watchdog.ts";
import { freePort } from "@soar-tooling/test-bench";
import { initialize, settingLines, type Settings } from "./initialize.ts";
import type { PostgresInstallation } from "./installations.ts";
import {
  findPostmaster,
  killPostmaster,
  signal,
  startPostmaster,
  type StartPostmaster,
  waitForEnd,
} from "./postmaster.ts";
import { runAsServerUser, type ServerProgramOptions, type ProgramResult } from "@soar-tooling/test-bench";
import { serverUser, type ServerUser } from "@soar-tooling/test-bench";

export interface TestClusterOptions {
  readonly installation: PostgresInstallation;
  /** Lines of postgresql.conf, for example `{ wal_level: "logical" }`. They win over the defaults for tests. */
  readonly settings?: Settings;
  /** For example `["--wal-segsize=1", "--data-checksums"]`. */
  readonly initdbArgs?: readonly string[];
  /** Lines of pg_hba.conf, in front of the default ones; the first match counts. */
  readonly hba?: readonly string[];
  /** Databases to create beside `postgres`. */
  readonly databases?: readonly string[];
  /** Switches archiving on with this command. */
  readonly archiveCommand?: string;
  /** Password of the superuser, then demanded on TCP connections; the unix socket lets everybody in. */
  readonly password?: string;
  /** Off by default: data survives `kill()` without it, because only a crash of the machine loses what is not synced. */
  readonly fsync?: boolean;
  /** Added to the server's environment, which its archive_command inherits. */
  readonly env?: Readonly<Record<string, string>>;
  /** Start after creating; true unless said otherwise. */
  readonly start?: boolean;
}

/** A PostgreSQL cluster of one test in a temporary directory that disappears with the test process. */
export interface TestCluster {
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
  /** Starts the server and waits until it accepts connections, in recovery too. Throws with its log if it ends first. */
  start(options?: { readonly args?: readonly string[]; readonly untilReady?: boolean }): Promise<void>;
  /** Stops the server, whoever started it, and waits for its end. Does nothing when none runs. */
  stop(mode?: "fast" | "immediate" | "smart"): Promise<void>;
  /** SIGKILL to the server and all its processes at once. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** Appends to postgresql.conf and, if the server runs, makes it read that. */
  configure(settings: Settings): Promise<void>;
  /** Process id of the running server, whoever started it. */
  pid(): number | undefined;
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
const START_ATTEMPTS = 5;

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

export interface AdoptOptions extends Pick<TestClusterOptions, "installation" | "env" | "start" | "password"> {
  /** An existing data directory, for example a restored one. It is neither changed nor removed. */
  readonly dataDir: string;
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

export interface Place {
  readonly base: string;
  readonly dataDir: string;
  readonly socketDir: string;
  readonly port: number;
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
  const start: TestCluster["start"] = ({ args = [], untilReady = true } = {}) =>
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
    ...lifecycle(dataDir, start),
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

const STOP_SIGNALS = { smart: "SIGTERM", fast: "SIGINT", immediate: "SIGQUIT" } as const;

/** Acts on whatever server runs on the directory, also on one that the tool under test has started. */
function lifecycle(
  dataDir: string,
  start: TestCluster["start"],
): Pick<TestCluster, "pid" | "start" | "stop" | "kill" | "restart" | "configure"> {
  const pid = (): number | undefined => findPostmaster(dataDir)?.pid;
  const stop = async (mode: keyof typeof STOP_SIGNALS = "fast"): Promise<void> => {
    const running = pid();
    if (running === undefined) return;
    signal(running, STOP_SIGNALS[mode]);
    await waitForEnd(running);
  };
  return {
    pid,
    start,
    stop,
    async kill() {
      const running = pid();
      if (running !== undefined) await killPostmaster(running);
    },
    async restart() {
      await stop();
      await start();
    },
    async configure(settings) {
      await appendFile(join(dataDir, "postgresql.conf"), settingLines(settings));
      const running = pid();
      if (running !== undefined) signal(running, "SIGHUP");
    },
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

/** Another process may hold the port for a moment: an outgoing connection was given it, or a killed server's still closes. */
async function startOnItsPort(options: StartPostmaster): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const before = (await readFile(options.logFile, "utf8").catch(emptyIfMissing)).length;
    try {
      await startPostmaster(options);
      return;
    } catch (error) {
      const fresh = (await readFile(options.logFile, "utf8")).slice(before);
      if (attempt === START_ATTEMPTS || !fresh.includes("Address already in use")) throw error;
      await delay(200 * attempt);
    }
  }
}

function emptyIfMissing(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "";
  throw error;
}
