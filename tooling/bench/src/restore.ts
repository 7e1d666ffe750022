// Rates of restores, after the build: `node --conditions=soar-source src/restore.ts [MEGABYTES [RUNS [PART...]]]`; parts are zstd,
// gzip, delta and table, by default all. SOAR_BENCH_DATA: see `aviation-cluster.ts`.
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestCluster } from "@soar-tooling/postgres-clusters";
import { startS3ServerProcess } from "@soar-tooling/s3-server";
import { freePort, serverUser } from "@soar-tooling/test-bench";
import { DATABASE, describeRun, openAviationCluster } from "./aviation-cluster.ts";
import { memoryDirectory } from "./bench-directory.ts";
import { BIN } from "./built-programs.ts";
import { median, medians, measureProgram, percent, print, rateOf, type Measured } from "./measured.ts";
import { openAlone } from "./restore/decompress-alone.ts";
import { takeBackup, type Backup } from "./restore/take-backup.ts";

const SIZE_MB = Number(process.argv[2] ?? 3000);
const RUNS = Number(process.argv[3] ?? 3);
const PARTS = process.argv.length > 4 ? process.argv.slice(4) : ["zstd", "gzip", "delta", "table"];
/** What must be reached, in MB/s of the cluster's size. */
const LIMITS = { zstd: 450, gzip: 350, delta: 900 } as const;
const { uid, gid } = serverUser();

const directory = mkdtempSync(join(tmpdir(), "soar-bench-"));
chmodSync(directory, 0o755);
chownSync(directory, uid, gid);
const objects = memoryDirectory(SIZE_MB * 4);
const memory = memoryDirectory(SIZE_MB * 3);
chownSync(memory, uid, gid);
/** Where clusters are restored to: the rate of the program, and that with the disk of this machine, syncs included. */
const PLACES = [
  ["in memory", memory],
  ["on the disk", directory],
] as const;
const s3 = await startS3ServerProcess({ bucket: "bench", directory: objects });

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
  const local = await openAlone(backup, directory);
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
      const backup = await takeBackup(cluster, codec, { directory, s3 });
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
