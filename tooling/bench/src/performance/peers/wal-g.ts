import type { Place } from "../place.ts";
import type { Tool, ToolCommands } from "../tool.ts";

/** WAL-G with zstd at its only level, and as many uploads and downloads at once as the others have jobs. */
export function walG(program: string, version: string): Tool {
  return { name: "wal-g", version, prepare: (place) => prepare(program, place) };
}

function prepare(program: string, { cluster, s3, caFile, prefix, directory, jobs }: Place): ToolCommands {
  const env = {
    HOME: directory,
    WALG_COMPRESSION_METHOD: "zstd",
    WALG_UPLOAD_CONCURRENCY: String(jobs),
    WALG_DOWNLOAD_CONCURRENCY: String(jobs),
    WALG_UPLOAD_DISK_CONCURRENCY: String(jobs),
    WALG_DELTA_MAX_STEPS: "20",
    WALG_LOG_LEVEL: "ERROR",
    WALG_S3_PREFIX: `s3://${s3.bucket}/${prefix}`,
    WALG_S3_CA_CERT_FILE: caFile,
    AWS_ENDPOINT: s3.endpoint,
    AWS_S3_FORCE_PATH_STYLE: "true",
    AWS_REGION: s3.region,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    PGHOST: cluster.socketDir,
    PGPORT: String(cluster.port),
    PGUSER: "postgres",
    PGDATABASE: "postgres",
    PGDATA: cluster.dataDir,
  };
  const inServer = `env ${Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ")} ${program}`;
  return {
    env,
    archive: `${inServer} wal-push %p`,
    restoreCommand: `${inServer} wal-fetch %f "%p"`,
    full: [program, "backup-push", cluster.dataDir, "--full"],
    incremental: [program, "backup-push", cluster.dataDir],
    restore: (target) => [program, "backup-fetch", target, "LATEST"],
    archiveOne: (path) => [program, "wal-push", path],
  };
}
