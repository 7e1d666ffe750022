import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestCluster } from "@soar-tooling/postgres-clusters";
import { createWalScanner, type WalRecord, type WalScanner } from "../src/wal-records/index.ts";

/** Settings under which `writeVariedWal` makes every kind of record that is decoded. */
export const WAL_LOAD_SETTINGS = {
  wal_level: "logical",
  max_prepared_transactions: 10,
  track_commit_timestamp: true,
  // Old segments must not be recycled under the reader.
  wal_keep_size: "1GB",
  autovacuum: false,
} as const;

/** Runs statements one by one, each in a transaction of its own. */
async function runAll(cluster: TestCluster, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await cluster.query(statement);
}

/** Writes transactions of every kind, records of several megabytes, restore points, and cuts segments short. */
export async function writeVariedWal(cluster: TestCluster): Promise<void> {
  await runAll(cluster, [
    "CREATE TABLE t (id int PRIMARY KEY, filler text)",
    "CREATE TABLE doomed_1 AS SELECT 1 AS x",
    "CREATE TABLE doomed_2 AS SELECT 1 AS x",
  ]);
  await runAll(cluster, [
    "INSERT INTO t SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 3000) g",
    "SELECT pg_create_restore_point('first')",
    "BEGIN; INSERT INTO t VALUES (-1, 'x'); SAVEPOINT a; INSERT INTO t VALUES (-2, 'x'); SAVEPOINT b; INSERT INTO t VALUES (-3, 'x'); RELEASE b; ROLLBACK TO a; COMMIT",
    "BEGIN; INSERT INTO t VALUES (-4, 'x'); SAVEPOINT a; INSERT INTO t VALUES (-5, 'x'); ROLLBACK",
    // Prepared transactions with every optional part: subtransactions, relations and statistics to drop, invalidations.
    "BEGIN; INSERT INTO t VALUES (-6, 'x'); SAVEPOINT a; INSERT INTO t VALUES (-7, 'x'); DROP TABLE doomed_1; CREATE TABLE born_1 (x int); PREPARE TRANSACTION 'ends well'",
    "BEGIN; INSERT INTO t VALUES (-8, 'x'); SAVEPOINT a; DROP TABLE doomed_2; CREATE TABLE born_2 (x int); PREPARE TRANSACTION 'ends badly'",
    "BEGIN; INSERT INTO t VALUES (-9, 'x'); PREPARE TRANSACTION 'plain'",
    "COMMIT PREPARED 'ends well'",
    "ROLLBACK PREPARED 'ends badly'",
    "COMMIT PREPARED 'plain'",
    "SELECT pg_switch_wal()",
    "SELECT pg_logical_emit_message(true, 'test', repeat('x', 5000000))",
    "SELECT pg_logical_emit_message(false, 'test', repeat('y', 70000))",
    "DROP TABLE born_1",
    "SELECT pg_create_restore_point('sécond')",
    "CHECKPOINT",
    "SELECT pg_switch_wal()",
  ]);
  // Many connections at a time, so that commit times are not in LSN order.
  await Promise.all(
    [1, 2, 3, 4].map(async (client) =>
      runAll(
        cluster,
        Array.from({ length: 25 }, (_, i) => `INSERT INTO t VALUES (${client * 1000 + i + 100_000}, 'x')`),
      ),
    ),
  );
}

/** Ends the segment that is being written and returns the names of all up to it, oldest first. */
export async function completeSegments(cluster: TestCluster): Promise<readonly string[]> {
  return segmentsUpTo(cluster, "SELECT pg_walfile_name(pg_switch_wal()) AS name");
}

/** Names of the segments up to the one that holds the last byte written, oldest first. */
export async function segmentsOf(cluster: TestCluster): Promise<readonly string[]> {
  return segmentsUpTo(cluster, "SELECT pg_walfile_name(pg_current_wal_lsn()) AS name");
}

async function segmentsUpTo(cluster: TestCluster, query: string): Promise<readonly string[]> {
  const [row] = await cluster.query<{ name: string }>(query);
  const names = (await readdir(join(cluster.dataDir, "pg_wal"))).filter((name) => /^[0-9A-F]{24}$/.test(name));
  return names.filter((name) => name <= (row?.name ?? "")).sort();
}

export interface ScannedWal {
  readonly records: readonly WalRecord[];
  readonly scanner: WalScanner;
}

/** Scans these segments of a cluster with one scanner. */
export async function scanSegments(cluster: TestCluster, names: readonly string[]): Promise<ScannedWal> {
  const scanner = createWalScanner({ name: names[0] ?? "", everyRecord: true });
  const records: WalRecord[] = [];
  for (const name of names) records.push(...scanner.push(await readFile(join(cluster.dataDir, "pg_wal", name))));
  records.push(...scanner.finish());
  return { records, scanner };
}

/** Copies the data directory of a stopped cluster into an existing one, owners and times included. */
export async function copyDataDir(from: string, to: string): Promise<void> {
  await promisify(execFile)("cp", ["-a", `${from}/.`, to]);
}
