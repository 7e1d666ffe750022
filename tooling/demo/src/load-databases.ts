import { loadAviationData, type TestCluster } from "@soar-tooling/postgres-clusters";
import { DATABASES, type DatabaseName } from "./demo-world.ts";

export interface LoadedData {
  /** Size on disk, in bytes. */
  readonly sizes: Readonly<Record<DatabaseName, number>>;
  /** WAL that was written for it, in bytes. */
  readonly walBytes: number;
  readonly rows: number;
}

/** The staging copy is half of the original. */
const SHARES: Readonly<Record<DatabaseName, number>> = { soar: 2 / 3, staging: 1 / 3 };

/** Fills both databases, to `megabytes` MiB together. */
export async function loadDatabases(cluster: TestCluster, megabytes: number): Promise<LoadedData> {
  const begin = await walPosition(cluster);
  for (const database of DATABASES)
    await loadAviationData((sql) => cluster.query(sql, [], database), { sizeMb: megabytes * SHARES[database] });
  const end = await walPosition(cluster);
  let rows = 0;
  // The first reader of a row notes on its page that it is committed. Now that costs nothing; behind the next checkpoint,
  // with data checksums (the default since PostgreSQL 18), it would write every page to the WAL once more.
  for (const database of DATABASES) rows += await countRows(cluster, database);
  const [soar, staging] = await Promise.all(DATABASES.map((database) => databaseSize(cluster, database)));
  return { sizes: { soar: soar ?? 0, staging: staging ?? 0 }, walBytes: end - begin, rows };
}

async function countRows(cluster: TestCluster, database: DatabaseName): Promise<number> {
  const tables = ["aprs_messages", "fixes", "devices", "flights", "receivers"];
  const [row] = await cluster.query<{ rows: string }>(
    `SELECT ${tables.map((table) => `(SELECT count(*) FROM ${table})`).join(" + ")} AS rows`,
    [],
    database,
  );
  return Number(row?.rows);
}

async function databaseSize(cluster: TestCluster, database: DatabaseName): Promise<number> {
  const [row] = await cluster.query<{ size: string }>("SELECT pg_database_size($1) AS size", [database]);
  return Number(row?.size);
}

async function walPosition(cluster: TestCluster): Promise<number> {
  const [row] = await cluster.query<{ position: string }>("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS position");
  return Number(row?.position);
}
