// Rates of `soar-backup-verify`: `node --conditions=soar-source src/verify.ts [MEGABYTES [RUNS [quick|full]]]`, after the build.
import { chmodSync, chownSync, mkdirSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createFileStore, openStore } from "@soar/storage";
import { createTestCluster, loadAviationData, requireInstallation } from "@soar-tooling/postgres-clusters";
import { startS3ServerProcess } from "@soar-tooling/s3-server";
import { runProgram, serverUser, writeEnvFile } from "@soar-tooling/test-bench";
import { BIN } from "./built-programs.ts";
import { decompressAlone } from "./verify/decompress-alone.ts";
import { fillMonth } from "./verify/fill-month.ts";

const SIZE_MB = Number(process.argv[2] ?? 1000);
const RUNS = Number(process.argv[3] ?? 3);
const ONLY = process.argv[4];
const SEGMENTS = 20_000;
const LATENCY_MS = 20;

const directory = mkdtempSync(join(tmpdir(), "soar-bench-"));
chmodSync(directory, 0o755);
chownSync(directory, serverUser().uid, serverUser().gid);

interface Run {
  readonly seconds: number;
  readonly stdout: string;
}

/** A repository in a directory belongs to whoever archives into it. */
const user = process.getuid?.() === 0 ? serverUser() : undefined;
const envFile = join(directory, "backup-env");

function writeSettings(settings: Readonly<Record<string, string>>): void {
  const [jobs, state] = [String(cpus().length), join(directory, "state")];
  writeEnvFile(envFile, { BACKUP_PARALLEL_JOBS: jobs, BACKUP_VERIFY_STATE_DIR: state, ...settings });
}

async function run(binary: string, ...args: string[]): Promise<Run> {
  const start = performance.now();
  const { stdout } = await runProgram([join(BIN, binary), "--env-file", envFile, "--json", ...args], {
    cwd: process.cwd(),
    env: { ...process.env, HOME: directory },
    user,
  });
  return { seconds: (performance.now() - start) / 1000, stdout };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

async function measureFull(): Promise<void> {
  const cluster = await createTestCluster({
    installation: requireInstallation("pg_basebackup"),
    databases: ["soar"],
    initdbArgs: ["--data-checksums"],
    archiveCommand: "true",
    settings: { max_wal_size: "4GB", shared_buffers: "256MB" },
  });
  try {
    await loadAviationData((sql) => cluster.query(sql, [], "soar"), {
      sizeMb: SIZE_MB,
      days: 30,
      newestDay: "2025-01-10",
    });
    for (const codec of ["zstd", "gzip"]) {
      const bucket = join(directory, codec);
      mkdirSync(bucket);
      chownSync(bucket, serverUser().uid, serverUser().gid);
      const settings = {
        BACKUP_BUCKET: `file://${bucket}`,
        PGHOST: cluster.connection.host,
        PGPORT: String(cluster.port),
        PGUSER: "postgres",
        BACKUP_COMPRESSION: codec,
      };
      writeSettings(settings);
      await cluster.configure({ archive_command: `${join(BIN, "soar-wal-archive")} --env-file ${envFile} %p %f` });
      await run("soar-base-backup", "--no-expire");
      // WAL of about a third of the backup, as of some hours.
      await cluster.query("CREATE TABLE more AS SELECT * FROM fixes", [], "soar");
      await cluster.query("SELECT pg_switch_wal()");
      await printFull(codec, bucket);
      await cluster.query("DROP TABLE more", [], "soar");
    }
  } finally {
    await cluster.remove();
  }
}

async function printFull(codec: string, bucket: string): Promise<void> {
  const store = createFileStore({ directory: bucket });
  const rates: number[] = [];
  const alone: number[] = [];
  let [plain, stored] = [0, 0];
  for (let count = 0; count < RUNS; count += 1) {
    alone.push(await decompressAlone(store));
    const { seconds, stdout } = await run("soar-backup-verify", "--level", "full");
    const report = JSON.parse(stdout) as { plainBytes: number; readBytes: number };
    [plain, stored] = [report.plainBytes, report.readBytes];
    rates.push(plain / seconds);
  }
  const [rate, limit] = [median(rates), median(alone)];
  console.log(
    `${codec.padEnd(5)} full: ${(rate / 1e6).toFixed(0)} MB/s of plain data, ${((rate * stored) / plain / 1e6).toFixed(0)} MB/s stored (${(plain / 1e6).toFixed(0)} MB, ${(stored / 1e6).toFixed(0)} stored); decompressing and hashing alone ${(limit / 1e6).toFixed(0)} MB/s: ${((100 * rate) / limit).toFixed(0)} %`,
  );
}

async function measureQuick(): Promise<void> {
  const s3 = await startS3ServerProcess({ bucket: "bench", etags: "opaque" });
  try {
    const credentials = { accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey };
    const store = openStore({
      url: "s3://bench/p",
      endpoint: s3.endpoint,
      region: s3.region,
      pathStyle: true,
      credentials,
    });
    await fillMonth(store, SEGMENTS);
    await store.close();
    await s3.change({ latencyMs: LATENCY_MS });
    writeSettings({
      BACKUP_BUCKET: "s3://bench/p",
      AWS_ENDPOINT_URL: s3.endpoint,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      AWS_DEFAULT_REGION: s3.region,
    });
    const total = async (): Promise<number> => Object.values(await s3.counts()).reduce((sum, count) => sum + count, 0);
    const before = await total();
    const { seconds } = await run("soar-backup-verify", "--level", "quick");
    const requests = (await total()) - before;
    console.log(
      `quick: ${SEGMENTS} segments and 5 backups at ${LATENCY_MS} ms a request: ${seconds.toFixed(1)} s (limit 20), ${requests} requests, ${((requests * 10_000) / SEGMENTS).toFixed(0)} per 10,000 segments (limit 300)`,
    );
  } finally {
    await s3.close();
  }
}

try {
  console.log(`${cpus().length} x ${cpus()[0]?.model ?? ""}, Node ${process.version}; median of ${RUNS}\n`);
  if (ONLY !== "full") await measureQuick();
  if (ONLY !== "quick") await measureFull();
} finally {
  await rm(directory, { recursive: true, force: true });
}
