import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestCluster } from "./test-cluster.ts";

const PAGE = 8192;

/**
 * A power loss in the middle of a record over eight pages: all but the first two were never written. The server runs again, and has
 * marked where it went on (`XLP_FIRST_IS_OVERWRITE_CONTRECORD`).
 */
export async function tearRecord(cluster: TestCluster): Promise<void> {
  await cluster.query("SELECT pg_switch_wal()");
  await cluster.query("CHECKPOINT");
  const [place] = await cluster.query<{ name: string; at: number }>(
    "SELECT file_name AS name, file_offset AS at FROM pg_walfile_name_offset(pg_current_wal_insert_lsn())",
  );
  await cluster.query("SELECT pg_logical_emit_message(true, 'test', repeat('x', 60000))");
  await cluster.kill();
  const segment = join(cluster.dataDir, "pg_wal", place?.name ?? "");
  const bytes = await readFile(segment);
  bytes.fill(0, (Math.floor((place?.at ?? 0) / PAGE) + 2) * PAGE);
  await writeFile(segment, bytes);
  await cluster.start();
}
