import type { Place } from "../place.ts";
import { shell } from "../timed.ts";
import type { Tool, ToolCommands } from "../tool.ts";

const SERVER = "bench";

/** Barman's programs for stores of objects. Its backups of Debian 12 know no zstd: there and in WAL it stores uncompressed. */
export function barman(program: string, version: string): Tool {
  return { name: "barman", version, prepare: (place) => prepare(program, place) };
}

function prepare(program: string, { cluster, s3, caFile, prefix, directory, jobs, codec }: Place): ToolCommands {
  const env = {
    HOME: directory,
    AWS_CA_BUNDLE: caFile,
    AWS_DEFAULT_REGION: s3.region,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
  };
  const beside = (name: string): string => program.replace(/barman-cloud-backup$/, name);
  const store = ["--cloud-provider", "aws-s3", "--endpoint-url", s3.endpoint];
  const url = `s3://${s3.bucket}/${prefix}`;
  const compressed = codec === "gzip" ? ["--gzip"] : [];
  const inServer = `env ${Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ")}`;
  const list = [beside("barman-cloud-backup-list"), ...store, "--format", "json", url, SERVER].join(" ");
  return {
    env,
    archive: [inServer, beside("barman-cloud-wal-archive"), ...store, ...compressed, url, SERVER, "%p"].join(" "),
    restoreCommand: [inServer, beside("barman-cloud-wal-restore"), ...store, url, SERVER, "%f", '"%p"'].join(" "),
    full: [
      program,
      ...store,
      ...compressed,
      "-J",
      String(jobs),
      "--immediate-checkpoint",
      "-h",
      cluster.socketDir,
      "-p",
      String(cluster.port),
      "-U",
      "postgres",
      url,
      SERVER,
    ],
    restore: (target) =>
      shell(
        `id=$(${list} | grep -o '"backup_id": *"[^"]*"' | cut -d'"' -f4 | sort | tail -n 1); ${[beside("barman-cloud-restore"), ...store, url, SERVER].join(" ")} "$id" ${target}`,
      ),
    archiveOne: (path) => [beside("barman-cloud-wal-archive"), ...store, ...compressed, url, SERVER, path],
  };
}
