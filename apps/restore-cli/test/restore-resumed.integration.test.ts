import { randomBytes } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync, statSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { postgresMajors, requireInstallation } from "@soar-tooling/postgres-clusters";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { fileOf, pause, pgCtl, stop, type Paused } from "./paused-copy.ts";
import { randomDamage, randomDeeds, type Deed } from "./random-lives.ts";
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
    settings: { wal_keep_size: "100MB", bgwriter_lru_maxpages: 0, autovacuum: false },
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

const READS = ["SELECT count(*) FROM rows", "SELECT count(*) FROM others"];

test(
  "random bytes in a table, before it is let go on: refused, also while it stands still",
  { timeout: 120_000 },
  async () => {
    const paused = await pause(world, "damaged");
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
    await stop(world, paused);
  },
);

test(
  "what the server itself has changed, standing still and since it was let go on, is right",
  { timeout: 120_000 },
  async () => {
    const paused = await pause(world, "sound");
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
    await stop(world, paused);
  },
);

test("less of a table than WAL has left of it: refused, though the same table was cut off by its server", async () => {
  const paused = await pause(world, "cut");
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
  await stop(world, paused);
}, 120_000);

test("ends of transactions that are gone under a server that stands still: refused", async () => {
  const paused = await pause(world, "states");
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
  await stop(world, paused);
}, 120_000);

test("one that pauses and was started again is looked at when it stands at its target again", async () => {
  const paused = await pause(world, "again", ["--target-name", "grown"]);
  await pgCtl(world, paused, "stop", "-m", "immediate");
  // Replay waits before a commit until it is so old, when the table was made shorter and has not grown yet.
  const delay = Date.now() - grownAt + 5000;
  await pgCtl(
    world,
    paused,
    "start",
    "-l",
    "/dev/null",
    "-o",
    `-p ${paused.port} -c recovery_min_apply_delay=${delay}`,
  );
  expect(await paused.sql("SELECT pg_get_wal_replay_pause_state() AS state")).toEqual([{ state: "not paused" }]);
  const done = await paused.again();
  expect(done, done.stderr).toMatchObject({ status: 0, stdout: expect.stringMatching(/'paused'/) as string });
  await stop(world, paused);
}, 120_000);

const LIVES = Number(process.env["SOAR_GO_ON_LIVES"] ?? 1);
const SEED = Number(process.env["SOAR_GO_ON_SEED"] ?? 1);
const TABLES = ["others", "dropped", "emptied", "shortened", "cut", "extended"];

/** Each is refused for the very file that was damaged, so that nothing else of the copy is taken for damage. */
async function expectRefused(paused: Paused, seed: number): Promise<void> {
  const damage = randomDamage(seed, paused.dataDir, table);
  const undo = damage.do();
  const { status, stderr } = await paused.again();
  expect({ status, ...damage }, `seed ${seed}: ${damage.name}\n${stderr}`).toMatchObject({ status: 94 });
  expect(stderr, damage.name).toContain(damage.file);
  undo();
}

async function live(paused: Paused, deed: Deed): Promise<void> {
  if (typeof deed !== "string")
    return void (await paused.sql(
      "SET default_transaction_read_only = off",
      "SET client_min_messages = error",
      ...deed,
    ));
  await pgCtl(world, paused, "stop", "-m", deed === "crash" ? "immediate" : "fast");
  await pgCtl(world, paused, "start", "-l", "/dev/null", "-o", `-p ${paused.port}`);
}

test.each(Array.from({ length: LIVES }, (_, n) => n))(
  "whatever a copy has lived through is right, and whatever befalls its files is not: life %i",
  { timeout: 240_000 },
  async (n) => {
    const seed = (SEED + n) * 1000;
    const deeds = randomDeeds(seed, TABLES, { count: 8, directory: world.directory });
    const paused = await pause(world, `life-${n}`);
    await expectRefused(paused, seed);
    expect((await paused.again()).stdout).toMatch(/'paused'/);
    await paused.resume();
    for (const [at, deed] of deeds.entries()) {
      await live(paused, deed);
      if (at === 3) await expectRefused(paused, seed + at);
    }
    const done = await paused.again();
    expect(done, `${JSON.stringify(deeds)}\n${done.stderr}`).toMatchObject({ status: 0 });
    await stop(world, paused);
  },
);
