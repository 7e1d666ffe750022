import { randomBytes } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { connectSql } from "@soar/pg-tools/replication";
import { adoptTestCluster } from "@soar-tooling/postgres-clusters";
import { freePort, type ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createRestoreWorld, type RestoreWorld } from "./restore-world.ts";
import { succeed } from "./tablespace-world.ts";

// A restore of a cluster without data checksums pauses at its target, is let go on, and is given again. No page tells by
// itself that it was damaged.

const ROWS = 20_000;
let world: RestoreWorld;
/** The file of a table that nobody writes to, below a data directory. */
let table: string;

beforeAll(async () => {
  // The copy keeps the WAL of what it removes over a checkpoint.
  world = await createRestoreWorld({ settings: { wal_keep_size: "100MB" } });
  const { cluster } = world;
  for (const name of ["rows", "others", "dropped", "emptied", "shortened"])
    await cluster.query(`CREATE TABLE ${name} AS SELECT n, md5(n::text) AS text FROM generate_series(1, ${ROWS}) AS n`);
  for (const kind of ["btree (n)", "hash (n)", "brin (n)", "gist (point(n, n))", "spgist (text)", "gin ((ARRAY[n]))"])
    await cluster.query(`CREATE INDEX ON others USING ${kind}`);
  const [row] = await cluster.query<{ path: string }>("SELECT pg_relation_filepath('rows') AS path");
  table = row?.path ?? "";
  await succeed(world, "soar-base-backup");
});
afterAll(() => world[Symbol.asyncDispose]());

interface Paused {
  readonly dataDir: string;
  sql(...statements: readonly string[]): Promise<unknown>;
  resume(): Promise<void>;
  /** Gives the command as it was given. */
  again(): Promise<ProgramResult>;
}

async function pause(name: string): Promise<Paused> {
  const [dataDir, port] = [join(world.directory, name), await freePort()];
  const args = ["--immediate", "--data-dir", dataDir, "--port", String(port), "--yes", "--target-action", "pause"];
  await succeed(world, "soar-restore", ...args);
  const sql = async (...statements: readonly string[]): Promise<unknown> => {
    await using session = await connectSql({ host: "127.0.0.1", port, user: "postgres", database: "postgres" });
    let rows: unknown;
    for (const statement of ["SET search_path = public", ...statements]) rows = await session.query(statement);
    return rows;
  };
  return {
    dataDir,
    sql,
    async resume() {
      await sql("SELECT pg_wal_replay_resume()");
      const isRecovering = (): Promise<unknown> => sql("SELECT pg_is_in_recovery() AS recovering");
      await expect.poll(isRecovering, { timeout: 30_000 }).toEqual([{ recovering: false }]);
    },
    again: () => world.run("soar-restore", ...args),
  };
}

async function stop({ dataDir }: Paused): Promise<void> {
  await using cluster = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
  await cluster.stop();
}

const READS = ["SELECT count(*) FROM rows", "SELECT count(*) FROM others"];

test(
  "random bytes in a table, before it is let go on: refused, also while it stands still",
  { timeout: 120_000 },
  async () => {
    const paused = await pause("damaged");
    const file = openSync(join(paused.dataDir, table), "r+");
    writeSync(file, randomBytes(50 * 8192), 0, 50 * 8192, 10 * 8192);
    closeSync(file);
    const refused = {
      status: 94,
      stderr: expect.stringMatching(
        new RegExp(`files were damaged since: block 10 of ${table}: its header is that of no page.*\nhint: .*--delta`),
      ) as string,
    };
    expect(await paused.again()).toMatchObject(refused);
    await paused.resume();
    expect(await paused.again()).toMatchObject(refused);
    await stop(paused);
  },
);

test(
  "what the server itself has changed, standing still and since it was let go on, is right",
  { timeout: 120_000 },
  async () => {
    const paused = await pause("sound");
    // Hint bits of readers, written by the checkpoint behind the end of recovery.
    await paused.sql(...READS);
    await paused.resume();
    await paused.sql(
      ...READS,
      "SET default_transaction_read_only = off",
      "SET enable_seqscan = off",
      "DELETE FROM others WHERE n % 7 = 0",
      "SELECT count(*) FROM others WHERE n < 500",
      "INSERT INTO others SELECT n, md5(n::text) FROM generate_series(100001, 101000) AS n",
      "VACUUM others",
      "VACUUM (FREEZE) pg_class",
      "VACUUM rows",
      "CREATE INDEX ON rows USING gist (point(n, n))",
      "CREATE UNLOGGED TABLE unlogged AS SELECT * FROM rows",
      "CREATE DATABASE copied STRATEGY file_copy",
      "DROP TABLE dropped",
      "TRUNCATE emptied",
      "DELETE FROM shortened WHERE n > 10",
      "VACUUM shortened",
      "CHECKPOINT",
    );
    const done = await paused.again();
    expect(done, done.stderr).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/changed ones were read/) as string,
    });
    // WAL says who has removed what is gone.
    expect(done.stdout).not.toMatch(/not proved/);
    expect(await paused.sql("SELECT count(*)::int AS rows FROM rows")).toEqual([{ rows: ROWS }]);
    await stop(paused);
  },
);
