import { closeSync, openSync, readdirSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pause, pgCtl, stop, type Paused } from "./paused-copy.ts";
import { createRestoreWorld, type RestoreWorld } from "./restore-world.ts";
import { succeed } from "./tablespace-world.ts";

// A copy that pauses at its target is its operator's: doubted, started anew with a log and settings of theirs, let go on. The same
// command says of it what is seen, and its waits end.

let world: RestoreWorld;
beforeAll(async () => {
  world = await createRestoreWorld();
  const { cluster } = world;
  await cluster.query("CREATE TABLE rows AS SELECT n, md5(n::text) AS text FROM generate_series(1, 1000) AS n");
  await cluster.query("CREATE TABLE dropped AS SELECT * FROM rows");
  // Two transactions hold one row: the first of all multixacts, whose page a server may have in memory alone.
  await cluster.query(
    "DO $$ BEGIN PERFORM 1 FROM rows WHERE n = 1 FOR KEY SHARE; BEGIN UPDATE rows SET text = 'x' WHERE n = 1; EXCEPTION WHEN division_by_zero THEN NULL; END; END $$",
  );
  await succeed(world, "soar-base-backup");
});
afterAll(() => world[Symbol.asyncDispose]());

const matching = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

test("a doubt about a copy that stands still is not taken for what was right there when it has gone on", async () => {
  const paused = await pause(world, "doubted");
  const file = openSync(join(paused.dataDir, "pg_multixact/offsets/0000"), "r+");
  writeSync(file, Buffer.alloc(8192), 0, 8192, 0);
  closeSync(file);
  for (const time of ["once", "twice"]) {
    const { status, stdout, stderr } = await paused.again();
    expect(status, `${time}\n${stderr}`).toBe(0);
    expect(stdout, time).toMatch(/not proved.*pg_multixact\/offsets\/0000/);
  }
  await paused.resume();
  await paused.sql("CHECKPOINT");
  expect(await paused.again()).toMatchObject({
    status: 94,
    stderr: matching(/block 0 of pg_multixact\/offsets\/0000/),
  });
  await stop(world, paused);
}, 60_000);

test("one that was started anew is asked itself, whatever its log says, and each wait ends with what is seen", async () => {
  const paused = await pause(world, "asked");
  const start = async (...settings: readonly string[]): Promise<void> => {
    await pgCtl(world, paused, "stop", "-m", "immediate");
    await pgCtl(world, paused, "start", "-l", "/dev/null", "-o", [`-p ${paused.port}`, ...settings].join(" "));
  };
  // As a run leaves it that did not come to see it pause.
  const record = join(paused.dataDir, "soar-restore/restore.json");
  const noted = JSON.parse(readFileSync(record, "utf8")) as object;
  writeFileSync(record, JSON.stringify({ ...noted, phase: "recover", outcome: undefined }));
  truncateSync(join(paused.dataDir, "soar-restore/server.log"), 0);
  await start();
  expect(await paused.again()).toMatchObject({ status: 0, stdout: matching(/'paused'/) });
  await start("-c listen_addresses=127.0.0.1 -c unix_socket_directories=");
  expect(await paused.again()).toMatchObject({
    status: 82,
    stderr: matching(/was started again since.*cannot be asked.* it has no socket.*\nhint: .*give the command again/),
  });
  await stop(world, paused);
}, 90_000);

/** The first segment of the copy's own timeline is as a crash of a file system may leave it. */
function emptyFirstSegment({ dataDir }: Paused): () => void {
  const wal = join(dataDir, "pg_wal");
  const [name = ""] = readdirSync(wal)
    .filter((one) => /^00000002[0-9A-F]{16}$/.test(one))
    .toSorted();
  const bytes = readFileSync(join(wal, name));
  writeFileSync(join(wal, name), "");
  return () => writeFileSync(join(wal, name), bytes);
}

test("where WAL cannot be read any more that would tell, the refusal names a way out, and it is one", async () => {
  const paused = await pause(world, "untold");
  const { dataDir } = paused;
  await paused.resume();
  await paused.sql("SET default_transaction_read_only = off", "DROP TABLE dropped", "CHECKPOINT");
  const undo = emptyFirstSegment(paused);
  for (const time of ["once", "twice"])
    expect(await paused.again(), time).toMatchObject({
      status: 53,
      stderr: matching(
        /gone or shorter.*WAL is gone, or cannot be read.*\nhint: .*To keep it as it is: soar-restore forget/,
      ),
    });
  const forgotten = await world.run("soar-restore", "forget", "--data-dir", dataDir, "--yes");
  expect(forgotten, forgotten.stderr).toMatchObject({ status: 0, stdout: matching(/Forgotten/) });
  expect(await paused.sql("SELECT count(*)::int AS rows FROM rows")).toEqual([{ rows: 1000 }]);
  undo();
  await stop(world, paused);
}, 60_000);
