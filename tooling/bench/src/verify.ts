// Rates of `soar-backup-verify`: `node --conditions=soar-source src/verify.ts [MEGABYTES [RUNS [quick|full]]]`, after the build.
import { spawn } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  backupKey,
  BACKUP_OBJECTS,
  formatWalDescription,
  listBackupRecords,
  listTimelineSegments,
  LONGEST_DESCRIPTION,
  parseWalDescription,
  type BackupRecord,
  type WalObject,
} from "@soar/repository";
import { createCodecPool, mapOrdered, readArchive, readSeekTable, type CodecPool } from "@soar/seekable-tar";
import { createFileStore, openStore, readObject, type ObjectStore } from "@soar/storage";
import {
  fillSampleRepository,
  putSampleBackup,
  segmentKey,
  segmentName,
  SEGMENT_SIZE,
  SYSTEM_IDENTIFIER,
} from "@soar-tooling/sample-repository";
import { createTestCluster, loadAviationData, requireInstallation } from "@soar-tooling/postgres-clusters";
import { startS3ServerProcess } from "@soar-tooling/s3-server";
import { serverUser } from "@soar-tooling/test-bench";

const SIZE_MB = Number(process.argv[2] ?? 1000);
const RUNS = Number(process.argv[3] ?? 3);
const ONLY = process.argv[4];
const BIN = fileURLToPath(new URL("../../../node_modules/.bin", import.meta.url));
const JOBS = cpus().length;
const SEGMENTS = 20_000;
const LATENCY_MS = 20;
const DAY_MS = 86_400_000;

const directory = mkdtempSync(join(tmpdir(), "soar-bench-"));
chmodSync(directory, 0o755);
chownSync(directory, serverUser().uid, serverUser().gid);

interface Run {
  readonly seconds: number;
  readonly stdout: string;
}

/** A repository in a directory belongs to whoever archives into it. */
const user = process.getuid?.() === 0 ? { uid: serverUser().uid, gid: serverUser().gid } : {};
const envFile = join(directory, "backup-env");

function writeSettings(settings: Readonly<Record<string, string>>): void {
  const all = { BACKUP_PARALLEL_JOBS: String(JOBS), BACKUP_VERIFY_STATE_DIR: join(directory, "state"), ...settings };
  writeFileSync(
    envFile,
    Object.entries(all)
      .map(([name, value]) => `${name}="${value}"\n`)
      .join(""),
    { mode: 0o600 },
  );
  chownSync(envFile, serverUser().uid, serverUser().gid);
}

async function run(binary: string, ...args: string[]): Promise<Run> {
  const start = performance.now();
  const child = spawn(join(BIN, binary), ["--env-file", envFile, "--json", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, HOME: directory },
    ...user,
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  const status = await new Promise((resolve) => child.once("close", resolve));
  if (status !== 0) throw new Error(`${binary} ended with ${String(status)}: ${stderr}${stdout}`);
  return { seconds: (performance.now() - start) / 1000, stdout };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Reading, decompressing and hashing every member of backups and WAL on all cores, and nothing else; plain bytes a second. */
async function decompressAlone(store: ObjectStore): Promise<number> {
  const pool = createCodecPool({ workers: JOBS });
  const start = performance.now();
  let plain = 0;
  try {
    for (const record of await listBackupRecords(store)) plain += await readMembers(store, record, pool);
    const { segments } = await listTimelineSegments(store, 1, 16 * 1024 * 1024);
    const read = (object: WalObject): Promise<number> => readSegment(store, object, pool);
    for await (const length of mapOrdered([...segments.values()].flat(), read, { maxItems: JOBS * 2 })) plain += length;
  } finally {
    await pool.close();
  }
  return plain / ((performance.now() - start) / 1000);
}

async function readMembers(store: ObjectStore, { label, index }: BackupRecord, pool: CodecPool): Promise<number> {
  const key = backupKey(label, BACKUP_OBJECTS.index);
  const frames = index.members.map(([storedLength, plainLength, sha256]) => ({ storedLength, plainLength, sha256 }));
  const fetch = (object: string, offset: number, length: number): Promise<Buffer> =>
    readObject(store, object, { range: { offset, length } });
  const table = await readSeekTable({ name: key, frames, fetch: (offset, length) => fetch(key, offset, length) });
  let plain = 0;
  for (const archive of table.archives)
    for await (const piece of readArchive(archive, { fetch, pool })) plain += piece.length;
  return plain;
}

async function readSegment(store: ObjectStore, object: WalObject, pool: CodecPool): Promise<number> {
  const stored = await readObject(store, object.key);
  const { description } = parseWalDescription(stored.subarray(-LONGEST_DESCRIPTION), "zstd", object.key);
  const [length = 0] = description.members;
  await pool.decompress(stored.subarray(0, length), {
    codec: "zstd",
    plainLength: description.size,
    sha256: Buffer.from(description.sha256, "hex"),
  });
  return description.size;
}

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

/** 30 days: 20,000 segments and five weekly backups. Only what a quick verification may look at is real. */
async function fillMonth(store: ObjectStore): Promise<void> {
  const label = (weeksAgo: number): string =>
    new Date(Date.now() - (weeksAgo * 7 + 1) * DAY_MS).toISOString().slice(0, 10);
  await fillSampleRepository(store, { label: label(4) });
  const leftover = [...[6, 7, 8].map((index) => segmentKey(index, 2)), "wal/00000002.history"];
  await store.remove(leftover);
  for (const weeksAgo of [3, 2, 1, 0])
    await putSampleBackup(store, { label: label(weeksAgo), first: (4 - weeksAgo) * (SEGMENTS / 5), state: weeksAgo });
  const data = Buffer.alloc(300, 7);
  const put = async (index: number): Promise<void> => {
    const micros = (Date.now() - ((SEGMENTS - index) / SEGMENTS) * 29 * DAY_MS) * 1000;
    const description = formatWalDescription(
      {
        v: 1,
        name: segmentName(index),
        size: SEGMENT_SIZE,
        sha256: "0".repeat(64),
        members: [data.length],
        memberSize: SEGMENT_SIZE,
        sysid: SYSTEM_IDENTIFIER,
        tx: { n: 1, first: micros, last: micros },
      },
      "zstd",
    );
    await store.put(segmentKey(index), Buffer.concat([data, description]));
  };
  for await (const done of mapOrdered(
    Array.from({ length: SEGMENTS - 6 }, (_, at) => at + 7),
    put,
    { maxItems: 32 },
  ))
    done satisfies void;
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
    await fillMonth(store);
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
