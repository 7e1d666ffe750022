import { join } from "node:path";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { vi } from "vitest";
import { createRestoreWorld, type RestoreWorld } from "./restore-world.ts";

/** A world whose cluster has a tablespace, a backup, and WAL that tells of larger limits than the backup knows. */
export interface TablespaceWorld extends RestoreWorld {
  readonly tablespace: string;
}

export async function createTablespaceWorld(): Promise<TablespaceWorld> {
  const world = await createRestoreWorld({
    settings: { max_connections: 10, max_wal_senders: 4, max_prepared_transactions: 2 },
  });
  const { cluster } = world;
  const tablespace = cluster.tablespaceDir("fast");
  await cluster.query(`CREATE TABLESPACE fast LOCATION '${tablespace}'`);
  await cluster.query("CREATE TABLE rows (n int)");
  await cluster.query("CREATE TABLE far (n int) TABLESPACE fast");
  await cluster.query("INSERT INTO far SELECT generate_series(1, 1000)");
  await succeed(world, "soar-base-backup");
  // Larger limits than the backup knows: WAL says so, and a hot standby with the old ones would stop there (safety, trap 37).
  await cluster.configure({ max_connections: 40, max_wal_senders: 12, max_prepared_transactions: 7 });
  await cluster.restart();
  await cluster.query("INSERT INTO rows SELECT generate_series(1, 500)");
  await cluster.query("SELECT pg_create_restore_point('raised')");
  await cluster.query("DO $$ BEGIN PERFORM pg_switch_wal(); END $$");
  await vi.waitFor(
    async () => {
      const [state] = await cluster.query<{ done: boolean | null }>(
        "SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn()) AS done FROM pg_stat_archiver",
      );
      if (state?.done !== true) throw new Error("not archived yet");
    },
    { timeout: 30_000, interval: 50 },
  );
  return Object.assign(world, { tablespace });
}

/** Runs a binary of which anything but status 0 fails the test. */
export async function succeed(world: RestoreWorld, binary: string, ...args: readonly string[]): Promise<ProgramResult> {
  const outcome = await world.run(binary, ...args);
  if (outcome.status !== 0) throw new Error(`${binary}: ${outcome.stderr}`);
  return outcome;
}

/** Flags for a restore beside the source: the tablespace's old place is in use. */
export function elsewhere({ tablespace, directory }: TablespaceWorld, name: string): string[] {
  return ["--tablespace-map", `${tablespace}=${join(directory, `${name}-fast`)}`, "--yes"];
}
