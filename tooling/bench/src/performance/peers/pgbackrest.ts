import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ownedDirectory, type Place } from "../place.ts";
import type { Tool, ToolCommands } from "../tool.ts";

const STANZA = "bench";
/** Its own default for gzip, and the level of zstd that all tools get. */
const LEVELS = { zstd: 3, gzip: 6 } as const;

/** pgBackRest with bundles, block incrementals and its background archiver: what its manual advises for a store of objects. */
export function pgbackrest(program: string, version: string): Tool {
  return { name: "pgbackrest", version, prepare: (place) => prepare(program, place) };
}

function prepare(program: string, place: Place): ToolCommands {
  const { cluster, directory } = place;
  const config = join(directory, "pgbackrest.conf");
  writeFileSync(config, configOf(place), { mode: 0o644 });
  const none = ownedDirectory(join(directory, "none"));
  const run = (...args: string[]): string[] => [
    program,
    `--config=${config}`,
    `--config-include-path=${none}`,
    `--stanza=${STANZA}`,
    ...args,
  ];
  const inServer = (...args: string[]): string => run(...args).join(" ");
  return {
    env: { HOME: directory },
    init: run("stanza-create"),
    // While backups wait for their WAL: its background process takes a minute where it has just ended.
    archive: inServer("--no-archive-async", "archive-push", "%p"),
    archiveBacklog: inServer("archive-push", "%p"),
    // PostgreSQL runs it in the data directory that recovers, which is not the one of the settings.
    restoreCommand: inServer('--pg1-path="$PWD"', "archive-get", "%f", '"%p"'),
    full: run("--type=full", "backup"),
    incremental: run("--type=incr", "backup"),
    restore: (target) => run(`--pg1-path=${target}`, "--type=none", "restore"),
    delta: (target) => run(`--pg1-path=${target}`, "--type=none", "--delta", "restore"),
    verifyStored: run("verify"),
    archiveOne: (path) => run("--no-archive-async", `--pg1-path=${cluster.dataDir}`, "archive-push", path),
  };
}

function configOf({ cluster, s3, caFile, prefix, directory, jobs, codec }: Place): string {
  const own = (name: string): string => ownedDirectory(join(directory, name));
  return [
    "[global]",
    "repo1-type=s3",
    `repo1-s3-bucket=${s3.bucket}`,
    `repo1-s3-endpoint=127.0.0.1`,
    `repo1-s3-region=${s3.region}`,
    `repo1-s3-key=${s3.accessKeyId}`,
    `repo1-s3-key-secret=${s3.secretAccessKey}`,
    "repo1-s3-uri-style=path",
    "repo1-storage-host=127.0.0.1",
    `repo1-storage-port=${s3.port}`,
    `repo1-storage-ca-file=${caFile}`,
    `repo1-path=/${prefix}`,
    "repo1-bundle=y",
    "repo1-block=y",
    "repo1-retention-full=99",
    "archive-async=y",
    `compress-type=${codec === "zstd" ? "zst" : "gz"}`,
    `compress-level=${LEVELS[codec]}`,
    `process-max=${jobs}`,
    "start-fast=y",
    "log-level-console=warn",
    "log-level-file=off",
    `log-path=${own("log")}`,
    `lock-path=${own("lock")}`,
    `spool-path=${own("spool")}`,
    `[${STANZA}]`,
    `pg1-path=${cluster.dataDir}`,
    `pg1-socket-path=${cluster.socketDir}`,
    `pg1-port=${cluster.port}`,
    "pg1-user=postgres",
    "",
  ].join("\n");
}
