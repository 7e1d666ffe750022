import { chownSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { S3ServerProcess } from "@soar-tooling/s3-server";
import { serverUser, writeEnvFile } from "@soar-tooling/test-bench";
import { openStore, type ObjectStore } from "@soar/storage";

/** One machine's configuration: a prefix of its own in the bucket, a spool of its own. */
export interface RpoSettings {
  readonly directory: string;
  readonly spool: string;
  readonly envFile: string;
  openStore(): ObjectStore;
}

export function writeSettings(s3: S3ServerProcess, run: string): RpoSettings {
  const directory = mkdtempSync(join(tmpdir(), "soar-rpo-"));
  const [spool, envFile] = [join(directory, "spool"), join(directory, "backup-env")];
  mkdirSync(spool, { mode: 0o700 });
  const url = `s3://${s3.bucket}/${run}`;
  const settings = {
    BACKUP_BUCKET: url,
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_DEFAULT_REGION: s3.region,
    BACKUP_SPOOL_DIR: spool,
  };
  writeEnvFile(envFile, settings);
  const { uid, gid } = serverUser();
  for (const path of [directory, spool]) chownSync(path, uid, gid);
  return {
    directory,
    spool,
    envFile,
    openStore: () => openStore({ url, endpoint: s3.endpoint, region: s3.region, credentials: s3 }),
  };
}
