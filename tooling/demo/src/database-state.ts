import {
  databaseDigest,
  differingTables,
  type DatabaseDigest,
  type TestCluster,
} from "@soar-tooling/postgres-clusters";
import { DATABASES, type DatabaseName } from "./demo-world.ts";

/** Every row of every table of both databases, as digests. */
export type ClusterState = Readonly<Record<DatabaseName, DatabaseDigest>>;

/**
 * Reads all rows. Exact only while nobody writes: the two databases cannot share a snapshot, and a snapshot is no instant
 * anyway, since a transaction draws its commit time a moment before others see it.
 */
export async function readClusterState(cluster: TestCluster): Promise<ClusterState> {
  const [soar, staging] = await Promise.all(
    DATABASES.map((database) => databaseDigest((sql) => cluster.query(sql, [], database))),
  );
  if (soar === undefined || staging === undefined) throw new Error("a database was not read");
  return { soar, staging };
}

/** One line for each table whose rows are not the same. */
export function describeDifferences(expected: ClusterState, actual: ClusterState): string[] {
  return DATABASES.flatMap((database) => {
    const [before, after] = [expected[database], actual[database]];
    return differingTables(before, after).map(
      (table) => `${database}: ${table}: ${describeRows(before.tables[table]?.rows, after.tables[table]?.rows)}`,
    );
  });
}

function describeRows(before: number | undefined, after: number | undefined): string {
  if (before === undefined) return "was not there before";
  if (after === undefined) return "is missing";
  if (before === after) return `${after.toLocaleString("en")} rows as before, but not the same ones`;
  return `${after.toLocaleString("en")} rows, before ${before.toLocaleString("en")}`;
}

export function countRows(state: ClusterState): number {
  return DATABASES.reduce((sum, database) => sum + state[database].rows, 0);
}

export function countTables(state: ClusterState): number {
  return DATABASES.reduce((sum, database) => sum + Object.keys(state[database].tables).length, 0);
}

export function countDevices(state: ClusterState): number {
  return state.soar.tables["public.devices"]?.rows ?? 0;
}
