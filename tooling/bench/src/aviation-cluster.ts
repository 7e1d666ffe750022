import { cpus } from "node:os";
import {
  adoptTestCluster,
  createTestCluster,
  loadAviationData,
  requireInstallation,
  type TestCluster,
} from "@soar-tooling/postgres-clusters";

export const DATABASE = "soar";
/** Daily partitions, as the owner keeps them; only the newest is written. */
const DAYS = 30;
export const NEWEST_DAY = "2025-01-10";

/**
 * A cluster of the owner's shape, without anything to vacuum. SOAR_BENCH_DATA names the data directory of a stopped cluster
 * of this shape, so that a series of measurements need not wait for the loading each time; settings are appended to its
 * configuration, and rows may be added.
 */
export async function openAviationCluster(sizeMb: number): Promise<TestCluster> {
  const prepared = process.env["SOAR_BENCH_DATA"];
  const installation = requireInstallation("pg_basebackup");
  if (prepared !== undefined) return await adoptTestCluster({ installation, dataDir: prepared });
  const cluster = await createTestCluster({
    installation,
    databases: [DATABASE],
    archiveCommand: "true",
    settings: { max_wal_size: "4GB", shared_buffers: "512MB" },
  });
  try {
    await loadAviationData((sql) => cluster.query(sql, [], DATABASE), { sizeMb, days: DAYS, newestDay: NEWEST_DAY });
    await cluster.query("VACUUM (FREEZE)", [], DATABASE);
    await cluster.query("CHECKPOINT");
    return cluster;
  } catch (error) {
    await cluster.remove();
    throw error;
  }
}

export function describeRun(cluster: TestCluster, runs: number): string {
  return `${cpus().length} x ${cpus()[0]?.model ?? ""}, Node ${process.version}, PostgreSQL ${cluster.installation.version}; median of ${runs}`;
}

/** A base backup without its WAL, as it comes from the server. */
export async function copyCluster(cluster: TestCluster, to: string): Promise<void> {
  const connection = ["-h", cluster.socketDir, "-p", String(cluster.port), "-U", "postgres"];
  const how = ["-D", to, "-X", "none", "-c", "fast"];
  const { status, stderr } = await cluster.runProgram("pg_basebackup", [...connection, ...how]);
  if (status !== 0) throw new Error(`pg_basebackup failed: ${stderr}`);
}
