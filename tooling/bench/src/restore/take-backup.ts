import { cpus } from "node:os";
import { join } from "node:path";
import type { TestCluster } from "@soar-tooling/postgres-clusters";
import type { S3ServerProcess } from "@soar-tooling/s3-server";
import { writeEnvFile } from "@soar-tooling/test-bench";
import type { Codec } from "@soar/seekable-tar";
import { openStore, type ObjectStore } from "@soar/storage";
import { BIN } from "../built-programs.ts";
import { measureProgram } from "../measured.ts";

/** A backup to restore from, and the repository that holds it. */
export interface Backup {
  readonly codec: Codec;
  readonly label: string;
  readonly store: ObjectStore;
  readonly envFile: string;
  /** Bytes of its tar. */
  readonly plain: number;
}

/** Takes a backup with the built program into a prefix of its own, named after the codec. The env file stays in `directory`. */
export async function takeBackup(
  cluster: TestCluster,
  codec: Codec,
  { directory, s3 }: { readonly directory: string; readonly s3: S3ServerProcess },
): Promise<Backup> {
  const envFile = join(directory, `env-${codec}`);
  const settings = {
    BACKUP_BUCKET: `s3://bench/${codec}`,
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_DEFAULT_REGION: s3.region,
    PGHOST: cluster.connection.host,
    PGPORT: String(cluster.port),
    PGUSER: "postgres",
    BACKUP_PG_BIN_DIR: cluster.binDir,
    BACKUP_TEMP_DIR: directory,
    BACKUP_PARALLEL_JOBS: String(cpus().length),
  };
  writeEnvFile(envFile, settings);
  await cluster.configure({ archive_command: `${join(BIN, "soar-wal-archive")} --env-file ${envFile} %p %f` });
  const { stdout } = await measureProgram(join(BIN, "soar-base-backup"), [
    "--env-file",
    envFile,
    "--json",
    "--no-expire",
    "--compression",
    codec,
  ]);
  const { label, sizes } = JSON.parse(stdout) as { label: string; sizes: { tar: number } };
  const store = openStore({ url: `s3://bench/${codec}`, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
  return { codec, label, store, envFile, plain: sizes.tar };
}
