import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { drain, readyCount, writeBacklog, writeRandomBacklog } from "./archive-drain/backlog.ts";
import { cpuMs, peakMb, residentMb } from "./process-cost.ts";
import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { startS3ServerProcess, type S3ServerProcess } from "@soar-tooling/s3-server";
import { serverUser, writeEnvFile } from "@soar-tooling/test-bench";

/*
 * Drains a real backlog of full segments through PostgreSQL's archiver: with `cp` to a local directory, and with the resident
 * archiver to an S3 server in a process of its own; the ratio of the two, in one run. Then what one archive_command costs.
 *
 *   node --conditions=soar-source tooling/bench/src/archive-drain.ts [segments] [rounds]
 *
 * With --random it measures the archiver's memory alone, while WAL is drained that does not compress, in segments of so many MiB:
 *
 *   node --conditions=soar-source tooling/bench/src/archive-drain.ts --random [segments] [MiB]
 */
const LAUNCHER = fileURLToPath(new URL("../../../apps/wal-archiver/bin/soar-wal-archive", import.meta.url));
const isRandom = process.argv[2] === "--random";
const [segments = 100, second] = process.argv.slice(isRandom ? 3 : 2).map(Number);
const [rounds, mebibytes] = isRandom ? [1, second ?? 16] : [second ?? 3, 16];
const ids = process.getuid?.() === 0 ? serverUser() : undefined;

/** Threads without work have ended by then. */
const IDLE_AFTER_MS = 7_000;

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
async function archiverPid(cluster: TestCluster): Promise<number> {
  const [row] = await cluster.query("select pid from pg_stat_activity where backend_type = 'archiver'");
  return Number(row?.["pid"]);
}

/** A segment of a gigabyte takes longer than the usual minute where the S3 server shares the machine. */
const SETTINGS = ["--tail-interval", "off", "--log-level", "warn", "--archive-timeout", "600s"];

/** Of the launcher: `exec` makes it Node's process. */
function startDaemon(cluster: TestCluster, envFile: string): ChildProcess & { pid: number } {
  const child = spawn(LAUNCHER, ["daemon", "--env-file", envFile, "--data-dir", cluster.dataDir, ...SETTINGS], {
    cwd: cluster.dataDir,
    stdio: ["ignore", "ignore", "inherit"],
    env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` },
    ...(ids === undefined ? {} : { uid: ids.uid, gid: ids.gid }),
  });
  if (child.pid === undefined) throw new Error("unable to start the archiver");
  return Object.assign(child, { pid: child.pid });
}

function spoolOf(prefix: string): string {
  return join(directory, `spool-${prefix}`);
}

function writeSettings(cluster: TestCluster, s3: S3ServerProcess, prefix: string): string {
  // One for each: an acknowledgement that the last archiver left is removed by the next one when it starts.
  const [envFile, spool] = [join(directory, `env-${prefix}`), spoolOf(prefix)];
  mkdirSync(spool, { recursive: true });
  const settings = {
    BACKUP_BUCKET: `s3://${s3.bucket}/${prefix}`,
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_DEFAULT_REGION: s3.region,
    BACKUP_SPOOL_DIR: spool,
    PGHOST: cluster.connection.host,
    PGPORT: String(cluster.port),
    PGUSER: "postgres",
  };
  writeEnvFile(envFile, settings);
  for (const path of ids === undefined ? [] : [spool]) chownSync(path, ids?.uid ?? 0, ids?.gid ?? 0);
  return envFile;
}

async function measureCalls(cluster: TestCluster): Promise<void> {
  const envFile = writeSettings(cluster, s3, "calls");
  await cluster.configure({ archive_command: "false" });
  const child = startDaemon(cluster, envFile);
  await cluster.query("insert into history values (1, 1, now(), ''); select pg_switch_wal()");
  const ack = join(spoolOf("calls"), "ack");
  let name: string | undefined;
  while (name === undefined) {
    await delay(50);
    name = existsSync(ack) ? readdirSync(ack).find((file) => !file.endsWith(".soar-tmp")) : undefined;
  }
  const call = (command: string): number => {
    const startedAt = performance.now();
    const { status } = spawnSync("/bin/sh", ["-c", `${command}; exit $?`], {
      cwd: cluster.dataDir,
      env: { PATH: "/usr/bin:/bin", BACKUP_SPOOL_DIR: spoolOf("calls") },
      ...(ids === undefined ? {} : { uid: ids.uid, gid: ids.gid }),
    });
    if (status !== 0) throw new Error(`${command} ended with ${status}`);
    return performance.now() - startedAt;
  };
  const times = (command: string): number => median(Array.from({ length: 41 }, () => call(command)));
  const archive = `${LAUNCHER} --env-file ${envFile} pg_wal/${name} ${name}`;
  const [nothing, acknowledged] = [times("/bin/true"), times(archive)];
  rmSync(join(ack, name));
  console.log(
    `archive_command: /bin/true ${nothing.toFixed(1)} ms, acknowledged +${(acknowledged - nothing).toFixed(1)} ms (limit 5), through the socket ${times(archive).toFixed(1)} ms (limit 60)`,
  );
  await delay(IDLE_AFTER_MS);
  console.log(`idle archiver: ${residentMb(child.pid).toFixed(0)} MB (limit 130)`);
  await stopDaemon(child);
}

async function stopDaemon(child: ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  await new Promise((resolve) => child.once("exit", resolve));
}

async function measureMemory(cluster: TestCluster): Promise<void> {
  const envFile = writeSettings(cluster, s3, "random");
  let [peak, later] = [0, 0];
  const perSecond = await drain(cluster, async () => {
    const child = startDaemon(cluster, envFile);
    await cluster.configure({
      archive_command: `BACKUP_SPOOL_DIR=${spoolOf("random")} ${LAUNCHER} --env-file ${envFile} %p %f`,
    });
    return async () => {
      peak = peakMb(child.pid);
      await delay(60_000);
      later = residentMb(child.pid);
      await stopDaemon(child);
    };
  });
  console.log(
    `random WAL in segments of ${mebibytes} MiB: ${perSecond.toFixed(1)}/s, peak memory ${peak.toFixed(0)} MB (limit ${mebibytes > 16 ? 300 : 230}), a minute later ${later.toFixed(0)} MB (limit 110)`,
  );
}

async function compareWithCp(cluster: TestCluster): Promise<void> {
  const results: { cp: number; soar: number; peak: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const copies = cluster.tablespaceDir(`copies${round}`);
    const cp = await drain(cluster, async () => {
      await cluster.configure({ archive_command: `cp %p ${copies}/%f` });
      return () => cluster.configure({ archive_command: "false" });
    });
    rmSync(copies, { recursive: true });
    const envFile = writeSettings(cluster, s3, `round${round}`);
    let [peak, cost] = [0, ""];
    const soar = await drain(cluster, async () => {
      const archiver = await archiverPid(cluster);
      const before = [cpuMs(s3.pid), cpuMs(archiver)] as const;
      const child = startDaemon(cluster, envFile);
      await cluster.configure({
        archive_command: `BACKUP_SPOOL_DIR=${spoolOf(`round${round}`)} ${LAUNCHER} --env-file ${envFile} %p %f`,
      });
      return async () => {
        peak = peakMb(child.pid);
        cost = [
          ["daemon", cpuMs(child.pid)],
          ["S3 server", cpuMs(s3.pid) - before[0]],
          ["archive_command", cpuMs(archiver) - before[1]],
        ]
          .map(([who, ms]) => `${who} ${(Number(ms) / segments).toFixed(1)}`)
          .join(", ");
        await stopDaemon(child);
        await cluster.configure({ archive_command: "false" });
      };
    });
    results.push({ cp, soar, peak });
    console.log(
      `round ${round + 1}: cp ${cp.toFixed(1)}/s, soar ${soar.toFixed(1)}/s, ratio ${(soar / cp).toFixed(2)}, peak memory ${peak.toFixed(0)} MB (limit 250); processor ms a segment: ${cost}`,
    );
  }
  console.log(`median ratio ${median(results.map(({ cp, soar }) => soar / cp)).toFixed(2)} (wanted 0.37)`);
  await measureCalls(cluster);
}

const directory = mkdtempSync(join(tmpdir(), "soar-drain-"));
if (ids !== undefined) chownSync(directory, ids.uid, ids.gid);
const s3 = await startS3ServerProcess();
const cluster = await createTestCluster({
  installation: requireInstallation("pg_ctl"),
  archiveCommand: "false",
  initdbArgs: [`--wal-segsize=${mebibytes}`],
  settings: { wal_keep_size: "64GB", max_wal_size: "64GB", fsync: "off", archive_timeout: "0" },
});
try {
  if (isRandom) await writeRandomBacklog(cluster, { segments, mebibytes });
  else await writeBacklog(cluster, segments);
  console.log(`${readyCount(cluster)} segments`);
  await (isRandom ? measureMemory(cluster) : compareWithCp(cluster));
} finally {
  await cluster.remove();
  await s3.close();
  rmSync(directory, { recursive: true, force: true });
}
