// Rates of restores, after the build: `node --conditions=soar-source src/restore.ts [MEGABYTES [RUNS [PART...]]]`; parts are zstd,
// gzip, delta and table, by default all. SOAR_BENCH_DATA: see `aviation-cluster.ts`.
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, createWriteStream, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { backupKey, BACKUP_OBJECTS, requireBackupRecord } from "@soar/repository";
import { createCodecPool, extractArchive, readSeekTable, type Codec, type SeekTable } from "@soar/seekable-tar";
import { openStore, readObject, type ObjectStore } from "@soar/storage";
import type { TestCluster } from "@soar-tooling/postgres-clusters";
import { startS3ServerProcess } from "@soar-tooling/s3-server";
import { freePort, serverUser } from "@soar-tooling/test-bench";
import { DATABASE, describeRun, openAviationCluster } from "./aviation-cluster.ts";
import { memoryDirectory } from "./bench-directory.ts";
import { median, medians, percent, print, rateOf, measureProgram, type Measured } from "./measured.ts";

const SIZE_MB = Number(process.argv[2] ?? 3000);
const RUNS = Number(process.argv[3] ?? 3);
const PARTS = process.argv.length > 4 ? process.argv.slice(4) : ["zstd", "gzip", "delta", "table"];
const BIN = fileURLToPath(new URL("../../../node_modules/.bin", import.meta.url));
/** What must be reached, in MB/s of the cluster's size. */
const LIMITS = { zstd: 450, gzip: 350, delta: 900 } as const;
const { uid, gid } = serverUser();

interface Backup {
  readonly codec: Codec;
  readonly label: string;
  readonly store: ObjectStore;
  readonly envFile: string;
  readonly plain: number;
}

const directory = mkdtempSync(join(tmpdir(), "soar-bench-"));
chmodSync(directory, 0o755);
chownSync(directory, uid, gid);
const objects = memoryDirectory(SIZE_MB * 4);
const memory = owned(memoryDirectory(SIZE_MB * 3));
/** Where clusters are restored to: the rate of the program, and that with the disk of this machine, syncs included. */
const PLACES = [
  ["in memory", memory],
  ["on the disk", directory],
] as const;
const s3 = await startS3ServerProcess({ bucket: "bench", directory: objects });

function owned(path: string): string {
  chownSync(path, uid, gid);
  return path;
}

async function backUp(cluster: TestCluster, codec: Codec): Promise<Backup> {
  const envFile = join(directory, `env-${codec}`);
  const settings = {
    BACKUP_BUCKET: `s3://bench/${codec}`,
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_DEFAULT_REGION: s3.region,
    PGHOST: cluster.connection.host,
    PGPORT: String(cluster.port),
    PGUSER: "postgres",
    BACKUP_PG_BIN_DIR: cluster.binDir,
    BACKUP_TEMP_DIR: directory,
    BACKUP_PARALLEL_JOBS: String(cpus().length),
  };
  writeFileSync(
    envFile,
    Object.entries(settings)
      .map(([name, value]) => `${name}="${value}"\n`)
      .join(""),
    { mode: 0o600 },
  );
  owned(envFile);
  await cluster.configure({ archive_command: `${join(BIN, "soar-wal-archive")} --env-file ${envFile} %p %f` });
  const { stdout } = await measureProgram(join(BIN, "soar-base-backup"), [
    "--env-file",
    envFile,
    "--json",
    "--no-expire",
    "--compression",
    codec,
  ]);
  const { label, sizes } = JSON.parse(stdout) as { label: string; sizes: { tar: number } };
  const store = openStore({ url: `s3://bench/${codec}`, endpoint: s3.endpoint, region: s3.region, credentials: s3 });
  return { codec, label, store, envFile, plain: sizes.tar };
}

interface Alone {
  measure(parent: string): Promise<Measured>;
  close(): Promise<void>;
}

/** Decompressing, hashing and writing from a local copy of the object, with the same threads and nothing else. */
async function openAlone({ label, store, codec }: Backup): Promise<Alone> {
  const record = await requireBackupRecord(store, label);
  const key = backupKey(label, BACKUP_OBJECTS.index);
  const table: SeekTable = await readSeekTable({
    name: key,
    frames: record.index.members.map(([storedLength, plainLength, sha256]) => ({ storedLength, plainLength, sha256 })),
    fetch: (offset, length, signal) => readObject(store, key, { range: { offset, length }, signal }),
  });
  const [archive] = table.archives;
  const object = archive?.members.get(0).object ?? "";
  const local = join(directory, `object-${codec}`);
  await pipeline(await store.get(object), createWriteStream(local));
  const file = await open(local);
  const pool = createCodecPool({ workers: cpus().length });
  return {
    async measure(parent) {
      const targetDir = join(parent, "alone");
      const start = performance.now();
      const fetch = async (_: string, offset: number, length: number): Promise<Buffer> =>
        (await file.read(Buffer.allocUnsafeSlow(length), 0, length, offset)).buffer;
      const { plainBytes } =
        archive === undefined ? { plainBytes: 0 } : await extractArchive(archive, { targetDir, fetch, pool });
      const seconds = (performance.now() - start) / 1000;
      rmSync(targetDir, { recursive: true });
      return { seconds, plain: plainBytes, stored: statSync(local).size, peak: 0 };
    },
    async close() {
      await pool.close();
      await file.close();
      rmSync(local);
    },
  };
}

/** One restore to the end; the time is that of bringing the files into place. The server is stopped again. */
async function restore(
  cluster: TestCluster,
  { envFile, plain }: Backup,
  dataDir: string,
  ...args: readonly string[]
): Promise<Measured> {
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
    ...args,
  ]);
  await cluster.runProgram("pg_ctl", ["stop", "-D", dataDir, "-m", "fast"]);
  const { fetchMs } = JSON.parse(stdout) as { fetchMs: number };
  return { seconds: fetchMs / 1000, plain, stored: 0, peak };
}

async function measureRestore(cluster: TestCluster, backup: Backup): Promise<void> {
  const { codec } = backup;
  if (codec === "none") return;
  const local = await openAlone(backup);
  for (const [place, parent] of PLACES) {
    const dataDir = join(parent, "restored");
    const restoreOnce = async (): Promise<Measured> => {
      const one = await restore(cluster, backup, dataDir);
      await rm(dataDir, { recursive: true });
      return one;
    };
    const [alone, measured] = await medians(RUNS, [() => local.measure(parent), restoreOnce]);
    print(`${codec}, ${place}: decompress, hash, write alone`, alone);
    print(
      `${codec}, ${place}: soar-restore`,
      measured,
      `(at least ${LIMITS[codec]} MB/s, or 90 % of alone: ${percent(rateOf(measured), rateOf(alone))}); memory at most 400 MB`,
    );
  }
  await local.close();
}

/** What the disk gives to anybody: writing as many bytes, and waiting until they are there. */
function printRawDisk(): void {
  const path = join(directory, "zeros");
  const start = performance.now();
  const { status } = spawnSync("dd", [
    "if=/dev/zero",
    `of=${path}`,
    "bs=1M",
    `count=${SIZE_MB}`,
    "conv=fsync",
    "status=none",
  ]);
  if (status !== 0) throw new Error("unable to write to the disk");
  print("dd with fsync to the disk", {
    seconds: (performance.now() - start) / 1000,
    plain: SIZE_MB * 1024 * 1024,
    stored: 0,
    peak: 0,
  });
  rmSync(path);
}

async function measureDelta(cluster: TestCluster, backup: Backup): Promise<void> {
  const dataDir = join(directory, "delta");
  await restore(cluster, backup, dataDir);
  const measured = await median(RUNS, () => restore(cluster, backup, dataDir, "--delta"));
  print("delta over a copy that ran on", measured, `(at least ${LIMITS.delta} MB/s)`);
  await rm(dataDir, { recursive: true });
}

async function measureTable({ envFile }: Backup): Promise<void> {
  let round = 0;
  let share = "";
  const measured = await median(RUNS, async () => {
    const output = join(directory, `receivers${(round += 1)}.sql`);
    const { seconds, stdout, peak } = await measureProgram(join(BIN, "soar-restore"), [
      "table",
      "--env-file",
      envFile,
      "public.receivers",
      "--database",
      DATABASE,
      "--latest",
      "--output",
      output,
      "--json",
    ]);
    const { fetchedBytes, storedBytes } = JSON.parse(stdout) as {
      fetchedBytes: { backup: number };
      storedBytes: number;
    };
    share = percent(fetchedBytes.backup, storedBytes);
    return { seconds, plain: fetchedBytes.backup, stored: fetchedBytes.backup, peak };
  });
  print("one small table", measured, `(at most 15 s), fetching ${share} of the stored bytes (at most 5 %)`);
}

try {
  const cluster = await openAviationCluster(SIZE_MB);
  try {
    console.log(`${describeRun(cluster, RUNS)}\n`);
    printRawDisk();
    for (const codec of ["gzip", "zstd"] as const) {
      const uses = codec === "gzip" ? ["gzip"] : ["zstd", "delta", "table"];
      if (!uses.some((part) => PARTS.includes(part))) continue;
      const backup = await backUp(cluster, codec);
      if (PARTS.includes(codec)) await measureRestore(cluster, backup);
      if (codec === "zstd" && PARTS.includes("delta")) await measureDelta(cluster, backup);
      if (codec === "zstd" && PARTS.includes("table")) await measureTable(backup);
      await backup.store.close();
    }
  } finally {
    await cluster.remove();
  }
} finally {
  await s3.close();
  for (const path of [directory, objects, memory]) await rm(path, { recursive: true, force: true });
}
