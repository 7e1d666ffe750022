import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openStore, type ObjectStore } from "@soar/storage";
import {
  createTestCluster,
  requireInstallation,
  type TestCluster,
  type TestClusterOptions,
} from "@soar-tooling/postgres-clusters";
import { startS3Server, type S3TestServer } from "@soar-tooling/s3-server";
import { compileCache, type ProgramResult, runProgram, serverUser, writeEnvFile } from "@soar-tooling/test-bench";

const BIN = fileURLToPath(new URL("../../../node_modules/.bin", import.meta.url));

/** A server that archives and was backed up with the built binaries, on a strict S3 server. */
export interface RestoreWorld extends AsyncDisposable {
  readonly cluster: TestCluster;
  readonly s3: S3TestServer;
  readonly store: ObjectStore;
  /** Belongs to the server's user; removed with the world. */
  readonly directory: string;
  readonly envFile: string;
  readonly env: Readonly<Record<string, string>>;
  run(binary: string, ...args: readonly string[]): Promise<ProgramResult>;
}

export async function createRestoreWorld(options: Partial<TestClusterOptions> = {}): Promise<RestoreWorld> {
  const directory = mkdtempSync(join(tmpdir(), "soar-restore-cli-"));
  const { uid, gid } = serverUser();
  chmodSync(directory, 0o755);
  chownSync(directory, uid, gid);
  const s3 = await startS3Server({ bucket: "restore-cli" });
  const envFile = join(directory, "backup-env");
  const installation = options.installation ?? requireInstallation("pg_ctl");
  const cluster = await createTestCluster({
    installation,
    initdbArgs: ["--wal-segsize=1"],
    archiveCommand: `${join(BIN, "soar-wal-archive")} --env-file ${envFile} %p %f`,
    ...options,
  });
  const settings = {
    BACKUP_BUCKET: "s3://restore-cli/one",
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_DEFAULT_REGION: s3.region,
    BACKUP_PG_BIN_DIR: installation.binDir,
    PGHOST: cluster.connection.host,
    PGPORT: String(cluster.connection.port),
    PGUSER: cluster.connection.user,
  };
  writeEnvFile(envFile, settings);
  const store = openStore({ url: "s3://restore-cli/one", endpoint: s3.endpoint, region: s3.region, credentials: s3 });
  const env = { ...compileCache(), PATH: `${BIN}:${process.env["PATH"] ?? ""}`, HOME: directory };
  return {
    cluster,
    s3,
    store,
    directory,
    envFile,
    env,
    run: (binary, ...args) =>
      runProgram([join(BIN, binary), "--env-file", envFile, ...args], { cwd: directory, env, mayFail: true }),
    async [Symbol.asyncDispose]() {
      await cluster.remove();
      await store.close();
      await s3.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** An empty directory of the server's user below the world's. */
export function ownedDirectory({ directory }: Pick<RestoreWorld, "directory">, name: string, mode = 0o700): string {
  const path = join(directory, name);
  mkdirSync(path);
  chmodSync(path, mode);
  chownSync(path, serverUser().uid, serverUser().gid);
  return path;
}
