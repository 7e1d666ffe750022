import { join } from "node:path";
import { writeEnvFile } from "@soar-tooling/test-bench";
import { BIN } from "../built-programs.ts";
import { ownedDirectory, type Place } from "./place.ts";
import type { Tool, ToolCommands } from "./tool.ts";

/** The built programs of this workspace. */
export function soar(version: string): Tool {
  return { name: "soar", version, prepare };
}

function prepare(place: Place): ToolCommands {
  const { cluster, directory } = place;
  const envFile = join(directory, "backup-env");
  writeEnvFile(envFile, settingsOf(place));
  const run = (program: string, ...args: string[]): string[] => [join(BIN, program), ...args, "--env-file", envFile];
  const env = { HOME: directory, PATH: `${BIN}:${cluster.binDir}:/usr/bin:/bin` };
  const inServer = `env PATH=${env.PATH}`;
  const restore = (target: string, ...more: string[]): string[] =>
    run("soar-restore", "--immediate", "--data-dir", target, "--target-action", "shutdown", "--yes", ...more);
  return {
    env,
    archive: `${inServer} soar-wal-archive --env-file ${envFile} %p %f`,
    restoreCommand: `${inServer} soar-restore --env-file ${envFile} wal-fetch %f %p`,
    full: run("soar-base-backup", "--no-expire"),
    incremental: run("soar-base-backup", "--no-expire", "--incremental"),
    restore,
    delta: (target) => restore(target, "--delta"),
    verifyStored: run("soar-backup-verify", "--level", "stored"),
    verifyFull: run("soar-backup-verify", "--level", "full"),
    archiveOne: (path) => [
      join(BIN, "soar-wal-archive"),
      "--env-file",
      envFile,
      path,
      path.slice(path.lastIndexOf("/") + 1),
    ],
    resident: run(
      "soar-wal-archive",
      "daemon",
      "--data-dir",
      cluster.dataDir,
      "--tail-interval",
      "off",
      "--log-level",
      "warn",
    ),
  };
}

function settingsOf({ cluster, s3, caFile, prefix, directory, jobs, codec }: Place): Record<string, string> {
  const own = (name: string): string => ownedDirectory(join(directory, name));
  return {
    BACKUP_BUCKET: `s3://${s3.bucket}/${prefix}`,
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_DEFAULT_REGION: s3.region,
    BACKUP_CA_FILE: caFile,
    PGHOST: cluster.socketDir,
    PGPORT: String(cluster.port),
    PGUSER: "postgres",
    PGDATA: cluster.dataDir,
    BACKUP_PG_BIN_DIR: cluster.binDir,
    BACKUP_COMPRESSION: codec,
    BACKUP_PARALLEL_JOBS: String(jobs),
    BACKUP_TEMP_DIR: own("temp"),
    BACKUP_SPOOL_DIR: own("spool"),
    BACKUP_LOG_DIR: own("log"),
    BACKUP_VERIFY_STATE_DIR: own("verify"),
  };
}
