import { chownSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { S3ServerProcess } from "@soar-tooling/s3-server";
import { serverUser } from "@soar-tooling/test-bench";
import { openStore, type ObjectStore } from "@soar/storage";

/** The built binaries. */
export const BIN = fileURLToPath(new URL("../../../../node_modules/.bin/", import.meta.url));

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
  writeFileSync(
    envFile,
    Object.entries(settings)
      .map(([name, value]) => `export ${name}="${value}"\n`)
      .join(""),
    { mode: 0o600 },
  );
  const { uid, gid } = serverUser();
  for (const path of [directory, spool, envFile]) chownSync(path, uid, gid);
  return {
    directory,
    spool,
    envFile,
    openStore: () => openStore({ url, endpoint: s3.endpoint, region: s3.region, credentials: s3 }),
  };
}
