import { execFileSync } from "node:child_process";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatLsn, formatWalSegment, parseLsn, parseWalSegment, segmentIndexOfLsn } from "@soar/pg-tools";
import { connectSql, type SqlConnection } from "@soar/pg-tools/replication";
import { createWalSummarizer } from "@soar/pg-tools/wal-records";
import { parseBackupLabel } from "@soar/pg-tools/labels";
import { backupKey, claimRepository, putBackupRecord, sha256Hex, type BackupRecord } from "@soar/repository";
import { putWalFile, type WalFileSource } from "@soar/repository/wal";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { sampleRecord } from "@soar-tooling/sample-repository";
import {
  adoptTestCluster,
  createTestCluster,
  requireInstallation,
  type TestCluster,
} from "@soar-tooling/postgres-clusters";

export const SEGMENT_SIZE = 1024 * 1024;

/** A transaction as PostgreSQL itself tells it. */
export interface Commit {
  readonly xid: number;
  /** Microseconds since 1970 UTC. */
  readonly time: bigint;
  /** Segment number in which it lies. */
  readonly index: number;
}

export interface PlanningWorld {
  /** Everything: both timelines, the abandoned branch of the first one included, and all backups. */
  readonly store: ObjectStore;
  readonly commits: Readonly<Record<string, Commit>>;
  readonly backups: Readonly<Record<"quiet" | "busy" | "calm", BackupRecord>>;
  /** Where timeline 2 leaves timeline 1. */
  readonly switchLsn: bigint;
  /** Objects of timeline 1 that were archived before it was left. */
  readonly beforeSwitch: ReadonlySet<string>;
}

/**
 * Timeline 1: commit `before`; backup `quiet`, during which nothing commits; `one` and restore point `between`; `two`;
 * backup `busy`, during which `during` commits; `three`; backup `calm`; `four`. Then it is left in the middle of a segment for timeline 2,
 * with `child` and `grown`, while the old server goes on alone with `abandoned`.
 */
export async function createPlanningWorld(): Promise<PlanningWorld> {
  await using cluster = await createTestCluster({
    installation: requireInstallation("postgres"),
    initdbArgs: ["--wal-segsize=1"],
    settings: { wal_keep_size: "512MB", autovacuum: false, track_commit_timestamp: true, max_prepared_transactions: 5 },
  });
  const commits: Record<string, Commit> = {};
  const backups = await writeFirstTimeline(cluster, commits);
  await cluster.stop();
  const copy = `${cluster.dataDir}-copy`;
  execFileSync("cp", ["-a", cluster.dataDir, copy]);
  return { ...(await finish(cluster, copy, commits, backups)), commits };
}

type Backups = Readonly<
  Record<"quiet" | "busy" | "calm", Pick<BackupRecord, "startLsn" | "stopLsn" | "checkpointLsn">>
>;

async function writeFirstTimeline(cluster: TestCluster, commits: Record<string, Commit>): Promise<Backups> {
  await using sql = await connectSql(cluster.connection, { writes: true });
  const commit = async (name: string) => void (commits[name] = await commitRow(sql, name));
  const cut = () => sql.query("SELECT pg_switch_wal()");
  await sql.query("CREATE TABLE public.t (name text)");
  await commit("before");
  const quiet = await backUp(sql, async () => undefined);
  await commit("one");
  await sql.query("SELECT pg_create_restore_point('between')");
  await commit("two");
  await cut();
  const busy = await backUp(sql, () => commit("during"));
  await commit("three");
  const calm = await backUp(sql, async () => undefined);
  await commit("four");
  return { quiet, busy, calm };
}

/** Ends when two seconds of the server's clock have passed: checkpoints tell their time in whole seconds, so nothing nearer counts as after it. */
async function backUp(sql: SqlConnection, meanwhile: () => Promise<void>): Promise<Backups["quiet"]> {
  const [start] = await sql.query<{ lsn: string }>("SELECT pg_backup_start('x', true) AS lsn");
  await meanwhile();
  const [stop] = await sql.query<{ lsn: string; labelfile: string }>(
    "SELECT lsn, labelfile FROM pg_backup_stop(false)",
  );
  await sql.query(
    "SELECT pg_sleep(extract(epoch FROM checkpoint_time + interval '2.01 seconds' - clock_timestamp())) FROM pg_control_checkpoint()",
  );
  return {
    startLsn: start?.lsn ?? "",
    stopLsn: stop?.lsn ?? "",
    checkpointLsn: formatLsn(parseBackupLabel(stop?.labelfile ?? "").checkpointLsn),
  };
}

async function commitRow(sql: SqlConnection, name: string): Promise<Commit> {
  const [row] = await sql.query<{ xid: string }>(
    "INSERT INTO public.t VALUES ($1) RETURNING pg_current_xact_id()::text AS xid",
    [name],
  );
  const [facts] = await sql.query<{ micros: string; lsn: string }>(
    "SELECT (extract(epoch FROM pg_xact_commit_timestamp($1::text::xid)) * 1000000)::bigint::text AS micros, pg_current_wal_insert_lsn()::text AS lsn",
    [row?.xid ?? null],
  );
  return {
    xid: Number(row?.xid),
    time: BigInt(facts?.micros ?? 0),
    index: segmentIndexOfLsn(parseLsn(facts?.lsn ?? ""), SEGMENT_SIZE),
  };
}

async function finish(
  cluster: TestCluster,
  copy: string,
  commits: Record<string, Commit>,
  backups: Backups,
): Promise<Omit<PlanningWorld, "commits">> {
  const store = createMemoryStore({ name: "planning" });
  await cluster.start();
  await using sql = await connectSql(cluster.connection, { writes: true });
  commits["abandoned"] = await commitRow(sql, "abandoned");
  await sql.query("SELECT pg_switch_wal()");
  commits["abandonedLater"] = await commitRow(sql, "abandonedLater");
  await sql.query("SELECT pg_switch_wal()");
  const identity = await identityOf(sql);
  await claimRepository(store, identity, { toolVersion: "test", now: new Date("2025-01-05T00:00:00Z") });
  await archive(store, cluster.dataDir, await lastSegment(sql));
  const switchLsn = await writeChild(cluster, copy, store, commits);
  const left = segmentIndexOfLsn(switchLsn, SEGMENT_SIZE);
  const { systemIdentifier } = identity;
  const records = {
    quiet: recordOf("2025-01-05", backups.quiet, systemIdentifier),
    busy: recordOf("2025-01-06", backups.busy, systemIdentifier),
    calm: recordOf("2025-01-07", backups.calm, systemIdentifier),
  };
  for (const record of Object.values(records)) await putBackup(store, record);
  const beforeSwitch = new Set<string>();
  for await (const { key } of store.list("wal/00000001"))
    if (parseWalSegment(key.slice(4, 28), SEGMENT_SIZE).index < left) beforeSwitch.add(key);
  return { store, backups: records, switchLsn, beforeSwitch };
}

/** Promotes the copy at the very end of what it holds, and writes on. */
async function writeChild(
  cluster: TestCluster,
  copy: string,
  store: ObjectStore,
  commits: Record<string, Commit>,
): Promise<bigint> {
  await writeFile(join(copy, "recovery.signal"), "");
  await writeFile(join(copy, "postgresql.auto.conf"), "restore_command = '/bin/false'\n");
  try {
    await using child = await adoptTestCluster({ installation: cluster.installation, dataDir: copy });
    await using sql = await connectSql(child.connection, { writes: true });
    // Ready for connections comes before the promotion; this waits for it inside of the server.
    await sql.query("DO $$ BEGIN WHILE pg_is_in_recovery() LOOP PERFORM pg_sleep(0.02); END LOOP; END $$");
    commits["child"] = await commitRow(sql, "child");
    await sql.query("SELECT pg_switch_wal()");
    commits["grown"] = await commitRow(sql, "grown");
    await sql.query("SELECT pg_switch_wal()");
    await archive(store, copy, await lastSegment(sql), 2);
    const history = await readFile(join(copy, "pg_wal", "00000002.history"));
    await putWalFile(
      store,
      { name: "00000002.history", size: history.length, sha256: sha256Hex(history), open: () => once(history) },
      { codec: "zstd" },
    );
    return parseLsn(history.toString("utf8").split("\t")[1] ?? "");
  } finally {
    await rm(copy, { recursive: true });
  }
}

/** The segment that is being written, also when nothing has been written into it yet. */
async function lastSegment(sql: SqlConnection): Promise<string> {
  const [row] = await sql.query<{ name: string }>("SELECT pg_walfile_name(pg_current_wal_lsn() + 1) AS name");
  return row?.name ?? "";
}

/** Archives the finished segments of one timeline with what a scan finds in them, as the archiver does. */
async function archive(store: ObjectStore, dataDir: string, before: string, timeline = 1): Promise<void> {
  const prefix = formatWalSegment({ timeline, index: 0 }, SEGMENT_SIZE).slice(0, 8);
  const names = (await readdir(join(dataDir, "pg_wal")))
    .filter((name) => name.length === 24 && name.startsWith(prefix) && name < before)
    .sort();
  for (const name of names) {
    const bytes = await readFile(join(dataDir, "pg_wal", name));
    await putWalFile(
      store,
      { name, size: bytes.length, sha256: sha256Hex(bytes), facts: factsOf(name, bytes), open: () => once(bytes) },
      { codec: "zstd" },
    );
  }
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function factsOf(name: string, bytes: Buffer): NonNullable<WalFileSource["facts"]> {
  const summarizer = createWalSummarizer({ name });
  summarizer.push(bytes);
  const {
    systemIdentifier,
    commitCount,
    abortCount,
    earliestTime,
    latestTime,
    restorePoints,
    parameters,
    endsInsideTransactionEnd,
  } = summarizer.finish();
  return {
    sysid: String(systemIdentifier),
    tx: {
      n: commitCount + abortCount,
      ...(earliestTime === undefined ? {} : { first: Number(earliestTime) }),
      ...(latestTime === undefined ? {} : { last: Number(latestTime) }),
    },
    ...(endsInsideTransactionEnd ? { open: true as const } : {}),
    ...(restorePoints.length === 0 ? {} : { rp: [...restorePoints] }),
    ...(parameters === undefined ? {} : { pc: [...parameters] }),
  };
}

async function identityOf(
  sql: SqlConnection,
): Promise<{ systemIdentifier: string; postgresMajor: number; walSegmentSize: number }> {
  const [row] = await sql.query<{ id: string; version: number }>(
    "SELECT system_identifier::text AS id, current_setting('server_version_num')::int AS version FROM pg_control_system()",
  );
  return {
    systemIdentifier: row?.id ?? "",
    postgresMajor: Math.floor((row?.version ?? 0) / 10_000),
    walSegmentSize: SEGMENT_SIZE,
  };
}

/** Every object of a planned backup: what planning looks at is their names and sizes. */
const CONTENT = {
  "backup.tar.gz": "data",
  "index.zst": "index",
  backup_label: "label",
  backup_manifest: "manifest",
  "server-config.tar.gz": "config",
};

function recordOf(
  label: string,
  { startLsn, stopLsn, checkpointLsn }: Backups["quiet"],
  systemIdentifier: string,
): BackupRecord {
  // Clocks decide nothing, so these may be wrong.
  const startedAt = `${label}T02:00:00.000Z`;
  return sampleRecord({
    label,
    systemIdentifier,
    walSegmentSize: SEGMENT_SIZE,
    startLsn,
    stopLsn,
    checkpointLsn,
    startedAt,
    stoppedAt: startedAt,
    sizes: { database: 1000, tar: 1000, stored: 500, new: 500 },
    dataChecksums: false,
    objects: Object.entries(CONTENT).map(([name, text]) => ({
      name,
      size: text.length,
      sha256: sha256Hex(Buffer.from(text)),
    })),
  });
}

export async function putBackup(store: ObjectStore, record: BackupRecord): Promise<void> {
  for (const [name, text] of Object.entries(CONTENT)) await store.put(backupKey(record.label, name), Buffer.from(text));
  await putBackupRecord(store, record);
}

/** A repository with the objects of another one that `keep` says, to be damaged at will. */
export async function copyStore(from: ObjectStore, keep: (key: string) => boolean = () => true): Promise<ObjectStore> {
  const store = createMemoryStore({ name: "planning" });
  for await (const { key } of from.list("")) {
    if (!keep(key)) continue;
    const parts: Uint8Array[] = [];
    for await (const chunk of await from.get(key)) parts.push(chunk);
    await store.put(key, Buffer.concat(parts));
  }
  return store;
}
