import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  createTestCluster,
  type PostgresInstallation,
  type TestCluster,
  type TestClusterOptions,
} from "@soar-tooling/postgres-clusters";
import { startS3Server, type S3TestServer } from "@soar-tooling/s3-server";
import {
  compileCache,
  type ProgramResult,
  serverUser,
  type StartedProgram,
  startProgram,
  writeEnvFile,
} from "@soar-tooling/test-bench";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const BIN = join(ROOT, "node_modules", ".bin");

export type Binary = "soar-wal-archive" | "soar-base-backup" | "soar-backup-verify" | "soar-restore";

/** A PostgreSQL server that archives with the built binaries into a strict S3 server, as an operator would have it. */
export interface SoarWorld {
  readonly cluster: TestCluster;
  readonly s3: S3TestServer;
  /** Temporary directory that the server's user may write to; removed with the world. */
  readonly directory: string;
  readonly envFile: string;
  /** Settings of the env file. */
  readonly settings: Readonly<Record<string, string>>;
  /** Runs a built binary with the env file. */
  run(
    binary: Binary,
    args: readonly string[],
    options?: { readonly settings?: Readonly<Record<string, string>>; readonly asServerUser?: boolean },
  ): Promise<ProgramResult>;
  /** Starts a built binary with the env file and lets it run; it is killed with the world. */
  start(
    binary: Binary,
    args: readonly string[],
    options?: { readonly settings?: Readonly<Record<string, string>>; readonly asServerUser?: boolean },
  ): StartedProgram;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface WorldOptions extends Partial<TestClusterOptions> {
  readonly installation: PostgresInstallation;
  readonly databases?: readonly string[];
}

const BUCKET = "soar-backup";

/** Below the limits of the tests. */
const LIMIT_SECONDS = 110;

export async function createSoarWorld(options: WorldOptions): Promise<SoarWorld> {
  const directory = mkdtempSync(join(tmpdir(), "soar-e2e-"));
  chmodSync(directory, 0o755);
  chownSync(directory, serverUser().uid, serverUser().gid);
  const s3 = await startS3Server({ bucket: BUCKET });
  const envFile = join(directory, "backup-env");
  const cluster = await createTestCluster({ archiveCommand: archiveCommand(envFile), ...options });
  const settings = {
    BACKUP_BUCKET: `s3://${BUCKET}/cluster1`,
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_DEFAULT_REGION: s3.region,
    BACKUP_PG_BIN_DIR: options.installation.binDir,
    BACKUP_PARALLEL_JOBS: "2",
    BACKUP_VERIFY_STATE_DIR: join(directory, "verify"),
    BACKUP_SPOOL_DIR: join(directory, "spool"),
    PGHOST: cluster.connection.host,
    PGPORT: String(cluster.connection.port),
    PGUSER: cluster.connection.user,
  };
  writeEnvFile(envFile, settings);
  const started: StartedProgram[] = [];
  return {
    cluster,
    s3,
    directory,
    envFile,
    settings,
    run: (binary, args, { settings: more = {}, asServerUser = false } = {}) =>
      runProgram([join(BIN, binary), "--env-file", envFile, ...args], { settings: more, directory, asServerUser }),
    start(binary, args, { settings: more = {}, asServerUser = false } = {}) {
      const program = startBinary([join(BIN, binary), "--env-file", envFile, ...args], {
        settings: more,
        directory,
        asServerUser,
      });
      started.push(program);
      return program;
    },
    async [Symbol.asyncDispose]() {
      for (const program of started) program.kill("SIGKILL");
      await Promise.all(started.map(({ result }) => result));
      await cluster.remove();
      await s3.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export function archiveCommand(envFile: string): string {
  return `${join(BIN, "soar-wal-archive")} --env-file ${envFile} %p %f`;
}

interface ProgramOptions {
  readonly settings: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly asServerUser?: boolean;
}

/**
 * Runs a command line with nothing of this process's environment but the path. One that does not end is killed, and named with
 * what it printed and with what was running: a test's own limit says nothing of where its time went.
 */
export async function runProgram(words: readonly string[], options: ProgramOptions): Promise<ProgramResult> {
  const program = startBinary(words, options);
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const running = execFileSync("ps", ["-e", "-o", "pid,ppid,pgid,stat,etimes,args", "--forest", "-ww"], {
        encoding: "utf8",
      });
      program.kill("SIGKILL");
      // It may have ended already, while something that it left behind holds its output open.
      reject(new Error(`'${words.join(" ")}' did not end within ${LIMIT_SECONDS} s\n${program.printed()}\n${running}`));
    }, LIMIT_SECONDS * 1000);
  });
  try {
    return await Promise.race([program.result, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function startBinary(
  words: readonly string[],
  { settings, directory, asServerUser = false }: ProgramOptions,
): StartedProgram {
  return startProgram(words, {
    cwd: directory,
    env: {
      ...compileCache(),
      PATH: `${BIN}:${process.env["PATH"] ?? ""}`,
      HOME: directory,
      SOAR_REQUIRE_ENDPOINT: "1",
      ...settings,
    },
    user: asServerUser && process.getuid?.() === 0 ? serverUser() : undefined,
    group: true,
  });
}
