// Replay through the spool of `wal-fetch` beside replay with `cp` from a local directory, after the build:
// `node --conditions=soar-source src/replay.ts [SEGMENTS [RUNS]]`.
import { spawnSync } from "node:child_process";
import { appendFileSync, chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { aviationTrafficSql, type TestCluster } from "@soar-tooling/postgres-clusters";
import { startS3ServerProcess } from "@soar-tooling/s3-server";
import { freePort, serverUser, writeEnvFile } from "@soar-tooling/test-bench";
import { copyCluster, DATABASE, describeRun, NEWEST_DAY, openAviationCluster } from "./aviation-cluster.ts";
import { memoryDirectory } from "./bench-directory.ts";
import { BIN } from "./built-programs.ts";
import { median, percent, measureProgram, type Measured } from "./measured.ts";

const SEGMENTS = Number(process.argv[2] ?? 100);
const RUNS = Number(process.argv[3] ?? 3);
const CLUSTER_MB = 200;
const SEGMENT_BYTES = 16 * 1024 * 1024;
const ROWS_PER_STATEMENT = 50_000;
const { uid, gid } = serverUser();

const objects = memoryDirectory(2_000);
const directory = mkdtempSync(join(tmpdir(), "soar-bench-"));
const archive = join(directory, "archive");
const envFile = join(directory, "backup-env");
mkdirSync(archive);
chmodSync(directory, 0o755);
for (const path of [directory, archive]) chownSync(path, uid, gid);
const s3 = await startS3ServerProcess({ bucket: "bench", directory: objects });

function writeSettings(cluster: TestCluster): void {
  const settings = {
    BACKUP_BUCKET: "s3://bench/replay",
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_DEFAULT_REGION: s3.region,
    PGHOST: cluster.socketDir,
    PGPORT: String(cluster.port),
    PGUSER: "postgres",
    BACKUP_PG_BIN_DIR: cluster.binDir,
    BACKUP_TEMP_DIR: directory,
    BACKUP_PARALLEL_JOBS: String(cpus().length),
  };
  writeEnvFile(envFile, settings);
}

/** Writes WAL until so many segments more are archived, in the bucket and in the local directory. */
async function writeSegments(cluster: TestCluster): Promise<number> {
  const position = async (): Promise<number> =>
    Number((await cluster.query("SELECT pg_current_wal_lsn() - '0/0' AS at"))[0]?.["at"]);
  const start = await position();
  while ((await position()) - start < SEGMENTS * SEGMENT_BYTES)
    await cluster.query(aviationTrafficSql({ rows: ROWS_PER_STATEMENT, newestDay: NEWEST_DAY }), [], DATABASE);
  const last = String((await cluster.query("SELECT pg_walfile_name(pg_switch_wal()) AS last"))[0]?.["last"]);
  for (;;) {
    const [row] = await cluster.query("SELECT last_archived_wal AS done FROM pg_stat_archiver");
    if (String(row?.["done"]) >= last) break;
    await delay(200);
  }
  return Math.floor(((await position()) - start) / SEGMENT_BYTES);
}

/** Start of the server to its promotion, as `recoverMs` of a restore counts it. */
async function replayWithCp(cluster: TestCluster, copy: string): Promise<Measured> {
  const dataDir = join(directory, "plain");
  spawnSync("cp", ["-a", copy, dataDir]);
  appendFileSync(
    join(dataDir, "postgresql.conf"),
    `\narchive_mode = off\nport = ${await freePort()}\nunix_socket_directories = '${directory}'\nrestore_command = 'cp ${archive}/%f %p'\n`,
  );
  writeFileSync(join(dataDir, "recovery.signal"), "");
  chownSync(join(dataDir, "recovery.signal"), uid, gid);
  const start = performance.now();
  await cluster.runProgram("pg_ctl", ["start", "-w", "-t", "600", "-D", dataDir, "-l", join(directory, "plain.log")]);
  while ((await cluster.runProgram("pg_controldata", [dataDir])).stdout.includes("in archive recovery"))
    await delay(100);
  const seconds = (performance.now() - start) / 1000;
  await cluster.runProgram("pg_ctl", ["stop", "-D", dataDir, "-m", "immediate"]);
  await rm(dataDir, { recursive: true });
  return { seconds, plain: 0, stored: 0, peak: 0 };
}

async function replayWithSoar(cluster: TestCluster): Promise<Measured> {
  const dataDir = join(directory, "restored");
  const { stdout, peak } = await measureProgram(join(BIN, "soar-restore"), [
    "--env-file",
    envFile,
    "--latest",
    "--data-dir",
    dataDir,
    "--port",
    String(await freePort()),
    "--yes",
    "--json",
  ]);
  await cluster.runProgram("pg_ctl", ["stop", "-D", dataDir, "-m", "immediate"]);
  await rm(dataDir, { recursive: true });
  return { seconds: (JSON.parse(stdout) as { recoverMs: number }).recoverMs / 1000, plain: 0, stored: 0, peak };
}

function show(what: string, { seconds, peak }: Measured, segments: number, note = ""): void {
  console.log(
    `${what.padEnd(34)} ${(segments / seconds).toFixed(1).padStart(6)} segments/s  ${seconds.toFixed(1).padStart(6)} s${peak === 0 ? "" : `  ${(peak / 1e6).toFixed(0)} MB RAM`}  ${note}`.trimEnd(),
  );
}

try {
  const cluster = await openAviationCluster(CLUSTER_MB);
  try {
    writeSettings(cluster);
    await cluster.configure({
      archive_command: `cp %p ${archive}/%f && ${join(BIN, "soar-wal-archive")} --env-file ${envFile} %p %f`,
    });
    console.log(`${describeRun(cluster, RUNS)}\n`);
    await measureProgram(join(BIN, "soar-base-backup"), ["--env-file", envFile, "--json", "--no-expire"]);
    const copy = join(directory, "copy");
    await copyCluster(cluster, copy);
    const segments = await writeSegments(cluster);
    const plain = await median(RUNS, () => replayWithCp(cluster, copy));
    show("cp from a local directory", plain, segments);
    const soar = await median(RUNS, () => replayWithSoar(cluster));
    show(
      "soar-restore",
      soar,
      segments,
      `${percent(plain.seconds, soar.seconds)} of the rate of cp (at least 100 %, with proof and the last start)`,
    );
  } finally {
    await cluster.remove();
  }
} finally {
  await s3.close();
  for (const path of [directory, objects]) await rm(path, { recursive: true, force: true });
}
