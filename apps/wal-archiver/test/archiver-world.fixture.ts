import { spawn, type ChildProcess } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  createTestCluster,
  requireInstallation,
  type TestCluster,
  type TestClusterOptions,
} from "@soar-tooling/postgres-clusters";
import { startS3Server, type S3TestServer } from "@soar-tooling/s3-server";
import { compileCache, serverUser, writeEnvFile } from "@soar-tooling/test-bench";

/** The program as it is installed: the launcher, the bundle behind it. */
export const LAUNCHER = fileURLToPath(new URL("../bin/soar-wal-archive", import.meta.url));
const BUCKET = "soar-backup";

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  /** What it has written to stderr so far. */
  log(): string;
  readonly ended: Promise<Ended>;
}

/** A server that archives through the launcher, a strict S3 server, and a spool; nothing resident runs until asked for. */
export interface ArchiverWorld {
  readonly cluster: TestCluster;
  readonly s3: S3TestServer;
  readonly directory: string;
  readonly spool: string;
  readonly envFile: string;
  /** Runs the launcher as the server's user in the data directory. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Started;
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended>;
  /** Starts the resident archiver and waits until it is ready. */
  startDaemon(args?: readonly string[]): Promise<Started>;
  acknowledged(): readonly string[];
  /** Keys below `wal/`. */
  stored(): readonly string[];
  /** Finishes the current segment; gives its name. */
  switchWal(): Promise<string>;
  writeEnvFile(settings?: Readonly<Record<string, string>>): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface WorldOptions extends Partial<TestClusterOptions> {
  /** Another place for S3 requests to go, for example a proxy in front of the server. */
  readonly endpoint?: (s3: S3TestServer) => Promise<string>;
}

export async function createArchiverWorld({ endpoint, ...options }: WorldOptions = {}): Promise<ArchiverWorld> {
  const directory = mkdtempSync(join(tmpdir(), "soar-wa-"));
  const [spool, envFile] = [join(directory, "spool"), join(directory, "backup-env")];
  const s3 = await startS3Server({ bucket: BUCKET });
  const settings = {
    BACKUP_BUCKET: `s3://${BUCKET}/one`,
    AWS_ENDPOINT_URL: (await endpoint?.(s3)) ?? s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_DEFAULT_REGION: s3.region,
    BACKUP_SPOOL_DIR: spool,
  };
  mkdirSync(spool);
  const writeSettings = (more: Readonly<Record<string, string>> = {}): void => {
    writeEnvFile(envFile, { ...settings, ...more });
  };
  chmodSync(directory, 0o755);
  chmodSync(spool, 0o700);
  chownSync(spool, serverUser().uid, serverUser().gid);
  const cluster = await createTestCluster({
    installation: requireInstallation("pg_ctl"),
    initdbArgs: ["--wal-segsize=1"],
    archiveCommand: `${LAUNCHER} --env-file ${envFile} %p %f`,
    ...options,
    start: false,
  });
  Object.assign(settings, {
    PGHOST: cluster.connection.host,
    PGPORT: String(cluster.connection.port),
    PGUSER: cluster.connection.user,
  });
  writeSettings();
  await cluster.start();
  const children = new Set<ChildProcess>();
  const world: ArchiverWorld = {
    cluster,
    s3,
    directory,
    spool,
    envFile,
    writeEnvFile: writeSettings,
    start(args, env = {}) {
      const started = startProgram(args, { cwd: cluster.dataDir, env });
      children.add(started.child);
      return started;
    },
    run: (args, env) => world.start(args, env).ended,
    async startDaemon(args = []) {
      const daemon = world.start(["daemon", "--env-file", envFile, "--data-dir", cluster.dataDir, ...args]);
      await Promise.race([
        eventually("the archiver to be ready", () => daemon.log().includes("files wait")),
        daemon.ended.then(({ stderr }) => Promise.reject(new Error(`the archiver ended: ${stderr}`))),
      ]);
      return daemon;
    },
    acknowledged: () =>
      existsSync(join(spool, "ack"))
        ? readdirSync(join(spool, "ack")).filter((name) => !name.endsWith(".soar-tmp"))
        : [],
    stored: () => [...s3.objects(BUCKET).keys()].filter((key) => key.startsWith("one/wal/")).map((key) => key.slice(8)),
    async switchWal() {
      await cluster.query("create table if not exists t (n int)");
      await cluster.query("insert into t values (1)");
      const [row] = await cluster.query<{ name: string }>("select pg_walfile_name(pg_switch_wal() - 1) as name");
      return row?.name ?? "";
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) if (child.exitCode === null && child.signalCode === null) killGroup(child);
      await cluster.remove();
      await s3.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return world;
}

function startProgram(
  args: readonly string[],
  { cwd, env }: { cwd: string; env: Readonly<Record<string, string>> },
): Started {
  const ids = process.getuid?.() === 0 ? serverUser() : undefined;
  // As its unit has it, and the server for its archive_command.
  const umask = process.umask(0o077);
  const child = spawn(LAUNCHER, args, {
    cwd,
    env: {
      ...compileCache(),
      PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
      SOAR_REQUIRE_ENDPOINT: "1",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, as PostgreSQL gives its archive_command: the launcher and Node end together.
    detached: true,
    ...(ids === undefined ? {} : { uid: ids.uid, gid: ids.gid }),
  });
  process.umask(umask);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
  return { child, log: () => stderr, ended };
}

/** Kills the launcher and everything that it started. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals = "SIGKILL"): void {
  if (child.pid !== undefined) process.kill(-child.pid, signal);
}

/** Waits until something holds, looking every 20 ms; fails with what was waited for. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  for (const giveUpAt = performance.now() + timeoutMs; !(await holds()); await delay(20)) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${timeoutMs} ms for: ${what}`);
  }
}

/** Names that PostgreSQL was told are archived. */
export function doneNames(cluster: TestCluster): readonly string[] {
  return readdirSync(join(cluster.dataDir, "pg_wal", "archive_status"))
    .filter((name) => name.endsWith(".done"))
    .map((name) => name.slice(0, -5));
}

export function readWal(cluster: TestCluster, name: string): Buffer {
  return readFileSync(join(cluster.dataDir, "pg_wal", name));
}
