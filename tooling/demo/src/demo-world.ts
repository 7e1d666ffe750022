import { join } from "node:path";
import { createTestCluster, type PostgresInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { startS3ServerProcess, type S3ServerProcess } from "@soar-tooling/s3-server";
import { runProgram, serverUser, writeEnvFile } from "@soar-tooling/test-bench";
import { endProcessesNaming } from "./end-processes.ts";
import { preparePrograms, type ProgramName } from "./prepare-programs.ts";
import { quoteForArchiveCommand } from "./quote-for-archive-command.ts";

export const DATABASES = ["soar", "staging"] as const;
export type DatabaseName = (typeof DATABASES)[number];

/** A server that archives with the built programs into a bucket, as an operator would have set it up, all in one directory. */
export interface DemoWorld extends AsyncDisposable {
  readonly cluster: TestCluster;
  readonly s3: S3ServerProcess;
  /** Holds everything: data directory, bucket, env file. */
  readonly directory: string;
  readonly envFile: string;
  readonly archiveCommand: string;
  /** Where the S3 server keeps its objects. */
  readonly objectsDirectory: string;
  /** Runs a program of ours as the server's user and returns what it printed. */
  run(program: ProgramName, args: readonly string[]): Promise<string>;
}

const BUCKET = "soar-backup";

/** Nothing that changes what archiving, backup and recovery do; only room, so that it is they who are timed. */
const SETTINGS = {
  shared_buffers: "256MB",
  wal_buffers: "16MB",
  max_wal_size: "8GB",
  checkpoint_timeout: "30min",
  // It would vacuum what was just loaded, on the two cores that are being timed.
  autovacuum: false,
};

/** Starts both servers. When the signal fires, the PostgreSQL server is ended, so that whatever waits for it fails at once. */
export async function createDemoWorld(installation: PostgresInstallation, signal: AbortSignal): Promise<DemoWorld> {
  await using stack = new AsyncDisposableStack();
  const { binDir } = stack.use(await preparePrograms());
  const path = `${binDir}:${process.env["PATH"] ?? "/usr/bin:/bin"}`;
  const cluster = await createTestCluster({ installation, settings: SETTINGS, env: { PATH: path }, start: false });
  const directory = cluster.socketDir;
  stack.defer(() => cluster.remove().then(() => endProcessesNaming(directory)));
  const objectsDirectory = join(directory, "objects");
  const s3 = await startS3ServerProcess({ bucket: BUCKET, directory: objectsDirectory });
  stack.defer(() => s3.close());
  stack.defer(() => cluster.stop("immediate"));
  const envFile = join(directory, "backup-env");
  const archiveCommand = `soar-wal-archive --env-file ${quoteForArchiveCommand(envFile)} %p %f`;
  writeEnvFile(envFile, settingsOf(s3, cluster));
  await cluster.configure({ archive_mode: "on", archive_command: archiveCommand });
  endWhenAborted(cluster, signal);
  await cluster.start();
  for (const name of DATABASES) await cluster.query(`CREATE DATABASE ${name}`);
  const env = { PATH: path, HOME: directory, LC_ALL: "C", TZ: "UTC", SOAR_REQUIRE_ENDPOINT: "1" };
  const cleanup = stack.move();
  return {
    cluster,
    s3,
    directory,
    envFile,
    archiveCommand,
    objectsDirectory,
    async run(program, args) {
      return (await runProgram([program, ...args], { env, cwd: directory, user: serverUser(), signal })).stdout;
    },
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}

function settingsOf(s3: S3ServerProcess, { connection, binDir }: TestCluster): Record<string, string> {
  return {
    BACKUP_BUCKET: `s3://${BUCKET}/cluster1`,
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_DEFAULT_REGION: s3.region,
    BACKUP_COMPRESSION: "zstd",
    BACKUP_PARALLEL_JOBS: "2",
    BACKUP_PG_BIN_DIR: binDir,
    PGHOST: connection.host,
    PGPORT: String(connection.port),
    PGUSER: connection.user,
  };
}

/** A query has no signal of its own; it fails when its server is gone. */
function endWhenAborted(cluster: TestCluster, signal: AbortSignal): void {
  signal.throwIfAborted();
  signal.addEventListener("abort", () => void cluster.stop("immediate"), { once: true });
}
