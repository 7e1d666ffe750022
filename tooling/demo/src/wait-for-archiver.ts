import { setTimeout as delay } from "node:timers/promises";
import type { TestCluster } from "@soar-tooling/postgres-clusters";

const POLL_MS = 50;
const PATIENCE_MS = 120_000;

interface ArchiverRow {
  readonly count: string;
  readonly last: string | null;
  readonly failed: string | null;
}

/** Waits until this segment is in the bucket, as far as the server knows. Throws when that takes two minutes. */
export async function waitForArchiver(cluster: TestCluster, segment: string): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    const archiver = await readArchiver(cluster);
    if ((archiver.last ?? "") >= segment) return;
    if (performance.now() > giveUpAt) {
      throw new Error(
        `segment '${segment}' was not archived in ${PATIENCE_MS / 1000} s; archived last: ${archiver.last ?? "nothing"}, failed last: ${archiver.failed ?? "nothing"}`,
      );
    }
    await delay(POLL_MS);
  }
}

/** How many WAL files the server has archived. */
export async function countArchived(cluster: TestCluster): Promise<number> {
  return Number((await readArchiver(cluster)).count);
}

async function readArchiver(cluster: TestCluster): Promise<ArchiverRow> {
  const [row] = await cluster.query<ArchiverRow & Record<string, unknown>>(
    `SELECT archived_count AS count, last_archived_wal AS last, last_failed_wal AS failed FROM pg_stat_archiver`,
  );
  if (row === undefined) throw new Error("pg_stat_archiver has no row");
  return row;
}
