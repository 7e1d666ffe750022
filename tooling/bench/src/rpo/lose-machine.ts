import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { adoptTestCluster, type TestCluster } from "@soar-tooling/postgres-clusters";
import type { S3ServerProcess } from "@soar-tooling/s3-server";
import { runProgram, serverUser, type StartOptions, startProgram } from "@soar-tooling/test-bench";
import { BIN } from "../built-programs.ts";
import { recoverableCommits } from "./recoverable.ts";
import { writeSettings, type RpoSettings } from "./rpo-settings.ts";
import type { Template } from "./template.ts";
import { startWriter, type Acknowledged } from "./steady-writer.ts";

export interface LossOptions {
  readonly template: Template;
  readonly s3: S3ServerProcess;
  /** Names the prefix in the bucket. */
  readonly run: string;
  readonly synchronous: boolean;
  /** How long rows are committed before everything is lost. */
  readonly writeMs: number;
  /** Restores from a base backup too, and compares. Takes some seconds. */
  readonly provesByRestore?: boolean;
}

export interface Loss {
  readonly acknowledged: number;
  /** Acknowledged commits that do not come back. */
  readonly lostCommits: number;
  /** How much older the newest recovered commit is than the newest acknowledged one. */
  readonly lostMs: number;
  /** Newest recovered transaction, as read from the bucket and as a restored server has it. */
  readonly newest: number | undefined;
  readonly restoredNewest: number | undefined;
}

/** A server and its archiver on one machine, killed with -9 in the middle of steady commits, disk lost; what is left? */
export async function loseMachine(options: LossOptions): Promise<Loss> {
  const { s3, run, synchronous } = options;
  const { cluster: template, segmentSize } = options.template;
  const settings = writeSettings(s3, run);
  const dataDir = join(settings.directory, "data");
  execFileSync("cp", ["-a", template.dataDir, dataDir]);
  await using cluster = await adoptTestCluster({
    installation: template.installation,
    dataDir,
    env: { SOAR_RPO_ENV: settings.envFile },
  });
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(settings.directory, { recursive: true, force: true }));
  if (options.provesByRestore === true)
    await runBinary("soar-base-backup", ["--env-file", settings.envFile, ...connectionFlags(cluster)]);
  const [{ index } = { index: 0 }] = await cluster.query<{ index: number }>(
    "select ((pg_current_wal_insert_lsn() - '0/0') / $1)::int as index",
    [segmentSize],
  );
  const daemon = startDaemon(cluster, settings, synchronous);
  cleanup.defer(() => daemon.kill());
  await daemon.isShipping;
  if (synchronous) await beginToWait(cluster);
  const writer = await startWriter(cluster.connection, 1);
  await delay(options.writeMs);
  daemon.kill();
  await cluster.kill();
  await rm(dataDir, { recursive: true });
  await writer.ended;
  // What was on the wire when the machine died may still arrive.
  await delay(200);
  await using closing = new AsyncDisposableStack();
  const store = settings.openStore();
  closing.defer(() => store.close());
  const loss = lossOf(writer.acknowledged, await recoverableCommits(store, { segmentSize, fromIndex: index }));
  return {
    ...loss,
    restoredNewest: options.provesByRestore === true ? await restoredNewest(cluster, settings) : undefined,
  };
}

function lossOf(acknowledged: readonly Acknowledged[], recoverable: ReadonlySet<number>): Omit<Loss, "restoredNewest"> {
  const kept = acknowledged.filter(({ xid }) => recoverable.has(xid));
  const isPrefix = kept.every((one, n) => one === acknowledged[n]);
  if (!isPrefix) throw new Error("commits in the middle are missing: the chain is wrong");
  const last = acknowledged.at(-1);
  if (last === undefined) throw new Error("nothing was committed");
  // Nothing at all came back: as old as the beginning.
  const lostMs = last.atMs - (kept.at(-1)?.atMs ?? acknowledged[0]?.atMs ?? 0);
  return {
    acknowledged: acknowledged.length,
    lostCommits: acknowledged.length - kept.length,
    lostMs,
    newest: recoverable.size === 0 ? undefined : Math.max(...recoverable),
  };
}

async function beginToWait(cluster: TestCluster): Promise<void> {
  await cluster.configure({ synchronous_standby_names: "soar" });
  for (;;) {
    const [row] = await cluster.query(
      "select 1 from pg_stat_replication where sync_state = 'sync' and flush_lsn is not null",
    );
    if (row !== undefined) return;
    await delay(20);
  }
}

async function restoredNewest(cluster: TestCluster, settings: RpoSettings): Promise<number> {
  await runBinary("soar-restore", [
    "--env-file",
    settings.envFile,
    "--latest",
    "--yes",
    "--json",
    "--port",
    String(cluster.port),
  ]);
  const [row] = await cluster.query<{ newest: number }>("select max(xmin::text::int) as newest from t");
  return row?.newest ?? 0;
}

const connectionFlags = (cluster: TestCluster): string[] => [
  "--host",
  cluster.connection.host,
  "--port",
  String(cluster.port),
];

function startDaemon(
  cluster: TestCluster,
  settings: RpoSettings,
  synchronous: boolean,
): { readonly isShipping: Promise<void>; kill(): void } {
  const args = [
    "daemon",
    "--env-file",
    settings.envFile,
    "--data-dir",
    cluster.dataDir,
    ...connectionFlags(cluster),
    ...(synchronous ? ["--synchronous"] : []),
  ];
  const daemon = startProgram([join(BIN, "soar-wal-archive"), ...args], asServer());
  return { isShipping: daemon.says("shipping the tail"), kill: () => daemon.kill("SIGKILL") };
}

async function runBinary(name: string, args: readonly string[]): Promise<void> {
  await runProgram([join(BIN, name), ...args], asServer());
}

/** With Node behind the launcher in one group. */
function asServer(): StartOptions {
  return {
    cwd: process.cwd(),
    env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` },
    user: process.getuid?.() === 0 ? serverUser() : undefined,
    group: true,
  };
}
