// Rates and sizes of base backups, after the build: `node --conditions=soar-source src/base-backup.ts [MEGABYTES [RUNS
// [PART...]]]`; parts are gzip, zstd and incremental, by default all. SOAR_BENCH_DATA: see `aviation-cluster.ts`.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import {
  createCodecPool,
  DEFAULT_CHUNK_BYTES,
  SeekTableWriter,
  writeSeekableTar,
  type Codec,
} from "@soar/seekable-tar";
import { aviationTrafficSql, type TestCluster } from "@soar-tooling/postgres-clusters";
import { startS3ServerProcess } from "@soar-tooling/s3-server";
import { writeEnvFile } from "@soar-tooling/test-bench";
import { DATABASE, describeRun, NEWEST_DAY, openAviationCluster } from "./aviation-cluster.ts";
import { memoryDirectory } from "./bench-directory.ts";
import { BIN } from "./built-programs.ts";
import { median, medians, percent, print, rateOf, measureProgram, type Measured } from "./measured.ts";

const SIZE_MB = Number(process.argv[2] ?? 3000);
const RUNS = Number(process.argv[3] ?? 3);
const PARTS = process.argv.length > 4 ? process.argv.slice(4) : ["gzip", "zstd", "incremental"];
/** What must be reached: MB/s, and percent over the peer's size. */
const LIMITS = { gzip: { rate: 110, over: 7 }, zstd: { rate: 200, over: 4 } } as const;

const objects = memoryDirectory(SIZE_MB * (RUNS + 1));
const directory = mkdtempSync(join(tmpdir(), "soar-bench-"));
chmodSync(directory, 0o755);
const s3 = await startS3ServerProcess({ bucket: "bench", directory: objects });
const envFile = join(directory, "backup-env");
let prefix = 0;

/** A repository of its own for each measured series. */
function useFreshRepository(cluster: TestCluster): void {
  prefix += 1;
  const settings = {
    BACKUP_BUCKET: `s3://bench/run${prefix}`,
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_DEFAULT_REGION: s3.region,
    PGHOST: cluster.socketDir,
    PGPORT: String(cluster.port),
    PGUSER: "postgres",
    BACKUP_PARALLEL_JOBS: String(cpus().length),
  };
  writeEnvFile(envFile, settings);
}

async function backUp(...args: string[]): Promise<Measured> {
  const { seconds, stdout, peak } = await measureProgram(join(BIN, "soar-base-backup"), [
    "--env-file",
    envFile,
    "--json",
    "--no-expire",
    ...args,
  ]);
  const { sizes } = JSON.parse(stdout) as { sizes: { tar: number; new: number } };
  return { seconds, plain: sizes.tar, stored: sizes.new, peak };
}

/** Cutting, hashing and compressing a tar of the data directory on the same cores, with nothing else. */
async function compressAlone(cluster: TestCluster, codec: Codec): Promise<Measured> {
  const pool = createCodecPool({ workers: cpus().length });
  const tar = spawn("tar", ["c", "--exclude=pg_wal/0*", "-C", cluster.dataDir, "."], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const table = new SeekTableWriter({ chunkBytes: DEFAULT_CHUNK_BYTES, sink: () => undefined });
  const start = performance.now();
  const write = writeSeekableTar({ source: tar.stdout, name: "base", objectKey: "x", codec, table, pool });
  for await (const chunk of write.body) chunk satisfies Buffer;
  const seconds = (performance.now() - start) / 1000;
  await pool.close();
  return { seconds, plain: write.summary().plainBytes, stored: write.summary().storedBytes, peak: 0 };
}

/** `pg_basebackup` into /dev/null, alone or through another program; the size is what comes out of it. */
function pgBasebackup(cluster: TestCluster, through: string): Measured {
  const command = `${cluster.binDir}/pg_basebackup -h ${cluster.socketDir} -p ${cluster.port} -U postgres -D - -Ft -X none -c fast ${through} | wc -c`;
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync("bash", ["-o", "pipefail", "-c", command], { encoding: "utf8" });
  if (status !== 0) throw new Error(`pg_basebackup failed: ${stderr}`);
  return { seconds: (performance.now() - start) / 1000, plain: Number(stdout), stored: Number(stdout), peak: 0 };
}

/** About 1 % of the rows of the newest partitions. */
async function insertOnePercent(cluster: TestCluster): Promise<void> {
  await cluster.query(aviationTrafficSql({ rows: Math.ceil(SIZE_MB * 0.42), newestDay: NEWEST_DAY }), [], DATABASE);
  await cluster.query("CHECKPOINT");
}

/** A peer compresses the same stream on the same cores; the limit is that of the issue, or nine tenths of compression alone. */
async function measureFull(cluster: TestCluster, codec: keyof typeof LIMITS): Promise<void> {
  const nowhere = await median(RUNS, () => pgBasebackup(cluster, ""));
  print("pg_basebackup to nowhere", nowhere);
  const program = codec === "gzip" ? "gzip -6 -c" : "zstd -q -3 -T2 -c";
  const peer = { ...pgBasebackup(cluster, `| ${program}`), plain: nowhere.plain };
  print(`pg_basebackup through ${program}`, peer);
  const takeFull = (): Promise<Measured> => {
    useFreshRepository(cluster);
    return backUp("--compression", codec);
  };
  const [alone, full] = await medians(RUNS, [() => compressAlone(cluster, codec), takeFull]);
  print(`${codec}: compression and hash alone`, alone);
  const { rate, over } = LIMITS[codec];
  print(
    `${codec}: soar-base-backup`,
    full,
    `(at least ${rate} MB/s, or 90 % of alone: ${percent(rateOf(full), rateOf(alone))}); ${percent(full.stored - peer.stored, peer.stored)} over ${program} (at most ${over} %); memory at most 400 MB`,
  );
}

async function measureIncremental(cluster: TestCluster): Promise<void> {
  print("pg_basebackup to nowhere: one walsender's limit", await median(RUNS, () => pgBasebackup(cluster, "")));
  useFreshRepository(cluster);
  const full = await backUp("--compression", "zstd");
  await insertOnePercent(cluster);
  const fresh = await backUp("--compression", "zstd", "--incremental");
  print(
    "incremental: 1 % new rows in the newest day",
    fresh,
    `${percent(fresh.stored, full.stored)} of the full one (at most 4 %); at least 350 MB/s`,
  );
  const unchanged = await median(RUNS, () => backUp("--compression", "zstd", "--incremental"));
  print("incremental: nothing new", unchanged, `${percent(unchanged.stored, full.stored)} of the full one`);
  await cluster.query("UPDATE fixes SET received_at = received_at WHERE random() < 0.01", [], DATABASE);
  await cluster.query("CHECKPOINT");
  const updated = await backUp("--compression", "zstd", "--incremental");
  print(
    "incremental: 1 % of all rows updated",
    updated,
    `${percent(updated.stored, full.stored)} of the full one, in chunks of ${DEFAULT_CHUNK_BYTES / 1024} KiB`,
  );
}

try {
  const cluster = await openAviationCluster(SIZE_MB);
  try {
    useFreshRepository(cluster);
    await cluster.configure({ archive_command: `${join(BIN, "soar-wal-archive")} --env-file ${envFile} %p %f` });
    await cluster.query("CHECKPOINT");
    console.log(`${describeRun(cluster, RUNS)}\n`);
    for (const codec of ["gzip", "zstd"] as const) if (PARTS.includes(codec)) await measureFull(cluster, codec);
    if (PARTS.includes("incremental")) await measureIncremental(cluster);
  } finally {
    await cluster.remove();
  }
} finally {
  await s3.close();
  for (const path of [directory, objects]) await rm(path, { recursive: true, force: true });
}
