// Rates and sizes of base backups: `node --conditions=soar-source src/base-backup.ts [MEGABYTES [RUNS [incremental]]]`, after
// the build; with `incremental` nothing but those.
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createCodecPool, DEFAULT_CHUNK_BYTES, SeekTableWriter, writeSeekableTar, type Codec } from "@soar/seekable-tar";
import { aviationTrafficSql, createTestCluster, loadAviationData, requireInstallation, serverUser, startS3ServerProcess, type TestCluster } from "@soar-tooling/test-servers";

const SIZE_MB = Number(process.argv[2] ?? 3000);
const RUNS = Number(process.argv[3] ?? 3);
const ONLY_INCREMENTAL = process.argv[4] === "incremental";
const BIN = fileURLToPath(new URL("../../../node_modules/.bin", import.meta.url));
const DATABASE = "soar";
/** Daily partitions, as the owner keeps them; only the newest is written. */
const DAYS = 30;
const NEWEST_DAY = "2025-01-10";

interface Measured {
  readonly seconds: number;
  /** Bytes that were read, and that were stored. */
  readonly plain: number;
  readonly stored: number;
  /** Largest resident memory of the process, in bytes; 0 where it was not looked at. */
  readonly peak: number;
}

const directory = mkdtempSync(join(tmpdir(), "soar-bench-"));
chmodSync(directory, 0o755);
const s3 = await startS3ServerProcess({ bucket: "bench", etags: "opaque", directory: join(directory, "objects") });
const envFile = join(directory, "backup-env");
let prefix = 0;

/** A repository of its own for each measured series. */
function useFreshRepository(cluster: TestCluster): void {
  prefix += 1;
  const settings = { BACKUP_BUCKET: `s3://bench/run${prefix}`, AWS_ENDPOINT_URL: s3.endpoint, AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey, AWS_DEFAULT_REGION: s3.region, PGHOST: cluster.connection.host, PGPORT: String(cluster.port), PGUSER: "postgres", BACKUP_PARALLEL_JOBS: String(cpus().length) };
  writeFileSync(envFile, Object.entries(settings).map(([name, value]) => `${name}="${value}"\n`).join(""), { mode: 0o600 });
  chownSync(envFile, serverUser().uid, serverUser().gid);
}

async function backUp(...args: string[]): Promise<Measured> {
  const start = performance.now();
  const child = spawn(join(BIN, "soar-base-backup"), ["--env-file", envFile, "--json", "--no-expire", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr, peak] = ["", "", 0];
  child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  const sampler = setInterval(() => (peak = Math.max(peak, peakOf(child.pid))), 100);
  const status = await new Promise((resolve) => child.once("close", resolve));
  clearInterval(sampler);
  if (status !== 0) throw new Error(`soar-base-backup ended with ${String(status)}: ${stderr}`);
  const { sizes } = JSON.parse(stdout) as { sizes: { tar: number; new: number } };
  return { seconds: (performance.now() - start) / 1000, plain: sizes.tar, stored: sizes.new, peak };
}

/** The kernel's own high-water mark, which no sampling misses; 0 when the process has just ended. */
function peakOf(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return 0;
    throw error;
  }
}

/** Cutting, hashing and compressing a tar of the data directory on the same cores, with nothing else. */
async function compressAlone(cluster: TestCluster, codec: Codec): Promise<Measured> {
  const pool = createCodecPool({ workers: cpus().length });
  const tar = spawn("tar", ["c", "--exclude=pg_wal/0*", "-C", cluster.dataDir, "."], { stdio: ["ignore", "pipe", "ignore"] });
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

async function median(measure: () => Promise<Measured> | Measured): Promise<Measured> {
  const all: Measured[] = [];
  for (let count = 0; count < RUNS; count += 1) all.push(await measure());
  const [middle] = all.toSorted((a, b) => a.seconds - b.seconds).slice(Math.floor(RUNS / 2));
  if (middle === undefined) throw new RangeError("at least one run is needed");
  return middle;
}

function print(what: string, { seconds, plain, stored, peak }: Measured, note = ""): void {
  const columns = [what.padEnd(44), `${(plain / 1e6 / seconds).toFixed(0).padStart(5)} MB/s`, `${(stored / 1e6).toFixed(1).padStart(8)} MB`, peak === 0 ? "          " : `${(peak / 1e6).toFixed(0).padStart(4)} MB RAM`, note];
  console.log(columns.join("  ").trimEnd());
}

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

/** About 1 % of the rows of the newest partitions. */
async function insertOnePercent(cluster: TestCluster): Promise<void> {
  await cluster.query(aviationTrafficSql({ rows: Math.ceil(SIZE_MB * 0.42), newestDay: NEWEST_DAY }), [], DATABASE);
  await cluster.query("CHECKPOINT");
}

async function measureFull(cluster: TestCluster): Promise<void> {
  const nowhere = await median(() => pgBasebackup(cluster, ""));
  print("pg_basebackup to nowhere", nowhere);
  const zstd3 = pgBasebackup(cluster, "| zstd -q -3 -T2 -c");
  print("pg_basebackup through zstd -3 -T2", { ...zstd3, plain: nowhere.plain });
  const gzip6 = pgBasebackup(cluster, "| gzip -6 -c");
  print("pg_basebackup through gzip -6", { ...gzip6, plain: nowhere.plain });
  for (const [codec, peer] of [["gzip", gzip6], ["zstd", zstd3]] as const) {
    const alone = await median(() => compressAlone(cluster, codec));
    print(`${codec}: compression and hash alone`, alone);
    const full = await median(() => {
      useFreshRepository(cluster);
      return backUp("--compression", codec);
    });
    const rate = full.plain / full.seconds / (alone.plain / alone.seconds);
    print(`${codec}: soar-base-backup`, full, `${percent(rate, 1)} of alone, ${percent(full.stored - peer.stored, peer.stored)} over its peer's size`);
  }
}

async function measureIncremental(cluster: TestCluster): Promise<void> {
  useFreshRepository(cluster);
  const full = await backUp("--compression", "zstd");
  await insertOnePercent(cluster);
  const fresh = await backUp("--compression", "zstd", "--incremental");
  print("incremental: 1 % new rows in the newest day", fresh, `${percent(fresh.stored, full.stored)} of the full one`);
  await cluster.query("UPDATE fixes SET received_at = received_at WHERE random() < 0.01", [], DATABASE);
  await cluster.query("CHECKPOINT");
  const updated = await backUp("--compression", "zstd", "--incremental");
  print("incremental: 1 % of all rows updated", updated, `${percent(updated.stored, full.stored)} of the full one`);
}

try {
  const cluster = await createTestCluster({ installation: requireInstallation("pg_basebackup"), databases: [DATABASE], archiveCommand: "true", settings: { max_wal_size: "4GB", shared_buffers: "512MB" } });
  try {
    await loadAviationData((sql) => cluster.query(sql, [], DATABASE), { sizeMb: SIZE_MB, days: DAYS, newestDay: NEWEST_DAY });
    await cluster.query("VACUUM (FREEZE)", [], DATABASE);
    useFreshRepository(cluster);
    await cluster.configure({ archive_command: `${join(BIN, "soar-wal-archive")} --env-file ${envFile} %p %f` });
    await cluster.query("CHECKPOINT");
    console.log(`${cpus().length} x ${cpus()[0]?.model ?? ""}, Node ${process.version}, PostgreSQL ${cluster.installation.version}; median of ${RUNS}\n`);
    if (!ONLY_INCREMENTAL) await measureFull(cluster);
    await measureIncremental(cluster);
  } finally {
    await cluster.remove();
  }
} finally {
  await s3.close();
  await rm(directory, { recursive: true, force: true });
}
