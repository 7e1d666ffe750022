import { randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, readSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { connectSql } from "@soar/pg-tools/replication";
import { adoptTestCluster, postgresMajors, requireInstallation } from "@soar-tooling/postgres-clusters";
import { freePort, serverUser, type ProgramResult } from "@soar-tooling/test-bench";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createRestoreWorld, type RestoreWorld } from "./restore-world.ts";
import { succeed } from "./tablespace-world.ts";

// A restore of a cluster without data checksums pauses at its target, is let go on, and is given again. No page tells by
// itself that it was damaged.

const ROWS = 20_000;
let world: RestoreWorld;
/** The file of a table that nobody writes to, below a data directory. */
let table: string;
/** When a table began to grow anew that replay has to make shorter first. */
let grownAt: number;

beforeAll(async () => {
  // The copy keeps the WAL of what it removes over a checkpoint.
  // Without checksums unless told, and since 16 files grow by many pages at once, of zeros.
  const installation = postgresMajors().find(({ major }) => major === 17) ?? requireInstallation("pg_ctl");
  world = await createRestoreWorld({
    installation,
    // Nothing but replay itself notes how far it came.
    settings: { wal_keep_size: "100MB", bgwriter_lru_maxpages: 0 },
  });
  const { cluster } = world;
  for (const name of ["rows", "others", "dropped", "emptied", "shortened", "cut", "extended", "grown"])
    await cluster.query(`CREATE TABLE ${name} AS SELECT n, md5(n::text) AS text FROM generate_series(1, ${ROWS}) AS n`);
  for (const kind of ["btree (n)", "hash (n)", "brin (n)", "gist (point(n, n))", "spgist (text)", "gin ((ARRAY[n]))"])
    await cluster.query(`CREATE INDEX ON others USING ${kind}`);
  const [row] = await cluster.query<{ path: string }>("SELECT pg_relation_filepath('rows') AS path");
  table = row?.path ?? "";
  await succeed(world, "soar-base-backup");
  for (const statement of ["DELETE FROM grown", "VACUUM grown", "INSERT INTO grown VALUES (1, 'one')"])
    await cluster.query(statement);
  grownAt = Date.now();
  await cluster.query(`INSERT INTO grown SELECT n, md5(n::text) FROM generate_series(1, ${ROWS * 2}) AS n`);
  await cluster.query("SELECT pg_create_restore_point('grown')");
  const [end] = await cluster.query<{ name: string }>("SELECT pg_walfile_name(pg_current_wal_lsn()) AS name");
  await cluster.query("DO $$ BEGIN PERFORM pg_switch_wal(); END $$");
  const name = end?.name ?? "";
  await vi.waitFor(
    async () => {
      const [state] = await cluster.query<{ done: boolean }>(
        `SELECT last_archived_wal >= '${name}' AS done FROM pg_stat_archiver`,
      );
      if (state?.done !== true) throw new Error("not archived yet");
    },
    { timeout: 30_000 },
  );
});
afterAll(() => world[Symbol.asyncDispose]());

interface Paused {
  readonly dataDir: string;
  readonly port: number;
  sql(...statements: readonly string[]): Promise<unknown>;
  resume(): Promise<void>;
  /** Gives the command as it was given. */
  again(): Promise<ProgramResult>;
}

async function pause(name: string, target: readonly string[] = ["--immediate"]): Promise<Paused> {
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
      await expect.poll(isRecovering, { timeout: 30_000 }).toEqual([{ recovering: false }]);
    },
    again: () => world.run("soar-restore", ...args),
  };
}

async function stop({ dataDir }: Paused): Promise<void> {
  await using cluster = await adoptTestCluster({ installation: world.cluster.installation, dataDir, start: false });
  await cluster.stop();
}

/** Where a table's file lies below the data directory. */
async function fileOf(paused: Paused, name: string): Promise<string> {
  const [row] = (await paused.sql(`SELECT pg_relation_filepath('${name}') AS path`)) as { path: string }[];
  return join(paused.dataDir, row?.path ?? "");
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
    const extended = await fileOf(paused, "extended");
    const bytes = statSync(extended).size;
    const rows = join(world.directory, "extended.copy");
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
      `COPY (SELECT * FROM extended ORDER BY n LIMIT ${ROWS / 2}) TO '${rows}'`,
      "DELETE FROM extended",
      "VACUUM extended",
      `COPY extended FROM '${rows}'`,
      "CHECKPOINT",
    );
    // Grown by more than was needed, below where the table ended before.
    const last = readFileSync(extended).subarray(-8192);
    expect(last.equals(Buffer.alloc(8192))).toBe(true);
    expect(statSync(extended).size).toBeLessThan(bytes);
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

test("less of a table than WAL has left of it: refused, though the same table was cut off by its server", async () => {
  const paused = await pause("cut");
  await paused.resume();
  const cut = await fileOf(paused, "cut");
  const before = statSync(cut).size;
  await paused.sql(
    "SET default_transaction_read_only = off",
    `DELETE FROM cut WHERE n > ${ROWS / 2}`,
    "VACUUM cut",
    "CHECKPOINT",
  );
  expect(statSync(cut).size).toBeLessThan(before);
  truncateSync(cut, 10 * 8192);
  expect(await paused.again()).toMatchObject({
    status: 94,
    stderr: expect.stringMatching(
      /is gone or shorter than it was at the target, and no WAL since has removed so much/,
    ) as string,
  });
  await stop(paused);
}, 120_000);

test("ends of transactions that are gone under a server that stands still: refused", async () => {
  const paused = await pause("states");
  const file = openSync(join(paused.dataDir, "pg_xact/0000"), "r+");
  const [before, at] = [Buffer.alloc(8), 160];
  readSync(file, before, 0, 8, at);
  expect(before.equals(Buffer.alloc(8))).toBe(false);
  writeSync(file, Buffer.alloc(8), 0, 8, at);
  expect(await paused.again()).toMatchObject({
    status: 94,
    stderr: expect.stringMatching(
      /block 0 of pg_xact\/0000: it does not know any more how transactions have ended/,
    ) as string,
  });
  await stop(paused);
}, 120_000);

test("one that pauses and was started again is looked at when it stands at its target again", async () => {
  const paused = await pause("again", ["--target-name", "grown"]);
  const { installation } = world.cluster;
  const pgCtl = async (...args: readonly string[]): Promise<void> => {
    const program = join(installation.binDir, "pg_ctl");
    const child = spawn(program, ["-D", paused.dataDir, ...args], { ...serverUser(), stdio: "ignore" });
    expect(await once(child, "exit")).toEqual([0, null]);
  };
  await pgCtl("stop", "-m", "immediate");
  // Replay waits before a commit until it is so old, when the table was made shorter and has not grown yet.
  const delay = Date.now() - grownAt + 5000;
  await pgCtl("start", "-l", "/dev/null", "-o", `-p ${paused.port} -c recovery_min_apply_delay=${delay}`);
  expect(await paused.sql("SELECT pg_get_wal_replay_pause_state() AS state")).toEqual([{ state: "not paused" }]);
  const done = await paused.again();
  expect(done, done.stderr).toMatchObject({ status: 0, stdout: expect.stringMatching(/'paused'/) as string });
  await stop(paused);
}, 120_000);
