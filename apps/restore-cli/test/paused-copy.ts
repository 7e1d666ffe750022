import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { connectSql } from "@soar/pg-tools/replication";
import { adoptTestCluster } from "@soar-tooling/postgres-clusters";
import { freePort, serverUser, type ProgramResult } from "@soar-tooling/test-bench";
import { vi } from "vitest";
import type { RestoreWorld } from "./restore-world.ts";
import { succeed } from "./tablespace-world.ts";

/** A copy whose restore has paused at its target. */
export interface Paused {
  readonly dataDir: string;
  readonly port: number;
  sql(...statements: readonly string[]): Promise<unknown>;
  resume(): Promise<void>;
  /** Gives the command as it was given. */
  again(): Promise<ProgramResult>;
}

export async function pause(
  world: RestoreWorld,
  name: string,
  target: readonly string[] = ["--immediate"],
): Promise<Paused> {
  const [dataDir, port] = [join(world.directory, name), await freePort()];
  const args = [...target, "--data-dir", dataDir, "--port", String(port), "--yes", "--target-action", "pause"];
  await succeed(world, "soar-restore", ...args);
  const sql = async (...statements: readonly string[]): Promise<unknown> => {
    await using session = await connectSql({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
    let rows: unknown;
    for (const statement of ["SET search_path = public", ...statements]) rows = await session.query(statement);
    return rows;
  };
  return {
    dataDir,
    port,
    sql,
    async resume() {
      await sql("SELECT pg_wal_replay_resume()");
      const isRecovering = (): Promise<unknown> => sql("SELECT pg_is_in_recovery() AS recovering");
      await vi.waitFor(
        async () => {
          if (JSON.stringify(await isRecovering()).includes("true")) throw new Error("it recovers still");
        },
        { timeout: 30_000, interval: 100 },
      );
    },
    again: () => world.run("soar-restore", ...args),
  };
}

export async function stop(world: RestoreWorld, { dataDir }: Paused): Promise<void> {
  await using cluster = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
  await cluster.stop();
}

/** Where a table's file lies below the data directory. */
export async function fileOf(paused: Paused, name: string): Promise<string> {
  const [row] = (await paused.sql(`SELECT pg_relation_filepath('${name}') AS path`)) as { path: string }[];
  return join(paused.dataDir, row?.path ?? "");
}

/** As somebody does by hand. */
export async function pgCtl(world: RestoreWorld, { dataDir }: Paused, ...args: readonly string[]): Promise<void> {
  const program = join(world.cluster.installation.binDir, "pg_ctl");
  const child = spawn(program, ["-D", dataDir, ...args], { ...serverUser(), stdio: "ignore" });
  const [status] = (await once(child, "exit")) as [number | null];
  if (status !== 0) throw new Error(`pg_ctl ${args.join(" ")} ended with ${status}`);
}
