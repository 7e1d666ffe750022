import { chownSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mountSmallDisk, requires, serverUser, startProxy, type TestProxy } from "@soar-tooling/test-bench";
import { findWalObjects, readWalFile } from "@soar/repository/wal";
import { afterEach, expect, test } from "vitest";
import { createArchiverWorld, doneNames, eventually, readWal, type ArchiverWorld } from "./archiver-world.fixture.ts";
import { storeOf } from "./sample-backup.fixture.ts";

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

function smallDisk(mebibytes: number): string {
  const disk = mountSmallDisk(mebibytes);
  cleanUps.push(() => disk[Symbol.dispose]());
  return disk.path;
}

function fill(disk: string): void {
  const { bavail, bsize } = statfsSync(disk);
  try {
    writeFileSync(join(disk, "filler"), Buffer.alloc(bavail * bsize + bsize));
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  }
  expect(statfsSync(disk).bavail).toBe(0);
}

async function openWorld(options: Parameters<typeof createArchiverWorld>[0]): Promise<ArchiverWorld> {
  const world = await createArchiverWorld(options);
  cleanUps.push(() => world[Symbol.asyncDispose]());
  return world;
}

const readyNames = ({ cluster }: ArchiverWorld): string[] =>
  readdirSync(join(cluster.dataDir, "pg_wal", "archive_status"))
    .filter((file) => /^[0-9A-F]{24}\.ready$/.test(file))
    .map((file) => file.slice(0, 24));

test(
  "pg_wal's disk full while the provider is down: nothing is deleted, and everything drains, byte for byte",
  { ...requires("mount"), timeout: 180_000 },
  async () => {
    const disk = smallDisk(32);
    const [walDir, ballast] = [join(disk, "wal"), join(disk, "ballast")];
    mkdirSync(walDir);
    chownSync(walDir, serverUser().uid, serverUser().gid);
    writeFileSync(ballast, Buffer.alloc(6 * 2 ** 20));
    let proxy: TestProxy | undefined;
    cleanUps.push(() => proxy?.close());
    const world = await openWorld({
      initdbArgs: ["--wal-segsize=1", `--waldir=${walDir}`],
      settings: { max_wal_size: "8MB", min_wal_size: "2MB", archive_timeout: "0", restart_after_crash: "on" },
      endpoint: async (s3) => {
        proxy = await startProxy({ target: { port: s3.port } });
        return `http://${proxy.host}:${proxy.port}`;
      },
    });
    const daemon = await world.startDaemon(["--archive-timeout", "2s", "--tail-interval", "off"]);
    const first = await world.switchWal();
    await eventually(`${first} to be done`, () => doneNames(world.cluster).includes(first));
    await proxy?.stopListening();
    proxy?.cutAll();

    // PostgreSQL writes until it cannot: it stops with a PANIC, and gives up starting as long as there is no room.
    const write = async (): Promise<void> => {
      for (;;) await world.cluster.query("insert into t select n from generate_series(1, 20000) n");
    };
    await expect(write()).rejects.toThrow(/./);
    await eventually("the server to have met the end of its disk", async () =>
      (await world.cluster.log()).includes("No space left on device"),
    );
    const waiting = readyNames(world);
    expect(waiting.length).toBeGreaterThan(5);
    const bytes = new Map(waiting.map((name) => [name, readWal(world.cluster, name)]));
    const status = async (): Promise<unknown> =>
      JSON.parse((await world.run(["status", "--json", "--env-file", world.envFile])).stdout);
    await expect
      .poll(status, { timeout: 20_000 })
      .toMatchObject({ isResident: true, queueDepth: waiting.length, lastFailure: { code: "STORE_UNREACHABLE" } });
    expect(daemon.child.exitCode).toBe(null);

    await proxy?.resumeListening();
    await eventually(
      "everything that waited to be in the bucket",
      () => waiting.every((name) => world.stored().includes(`${name}.zst`)),
      60_000,
    );
    for (const [name, before] of bytes)
      expect(readWal(world.cluster, name).equals(before), `${name} on disk`).toBe(true);
    const store = storeOf(world);
    for (const [name, before] of bytes) {
      const [object] = await findWalObjects(store, name);
      if (object === undefined) throw new Error(`${name} is not in the bucket`);
      expect((await readWalFile(store, object)).equals(before), `${name} in the bucket`).toBe(true);
    }
    await store.close();

    // Room for its start is all that the server needs.
    await world.cluster.stop("immediate");
    rmSync(ballast);
    await world.cluster.start();
    await eventually("PostgreSQL to be told", () => readyNames(world).length === 0, 60_000);
    await world.cluster.query("checkpoint");
    const next = await world.switchWal();
    await eventually(`${next} to be done`, () => doneNames(world.cluster).includes(next));
  },
);

test(
  "the spool's disk full: archiving goes on, with a word about it, with and without the resident archiver",
  { ...requires("mount"), timeout: 120_000 },
  async () => {
    const disk = smallDisk(1);
    const world = await openWorld({ settings: { archive_timeout: "0", wal_keep_size: "1GB" } });
    world.writeEnvFile({ BACKUP_SPOOL_DIR: disk });
    const daemon = await world.startDaemon(["--tail-interval", "off"]);
    fill(disk);
    const names = [await world.switchWal(), await world.switchWal()];
    await eventually("segments to be done", () => names.every((name) => doneNames(world.cluster).includes(name)));
    expect(world.stored()).toEqual(expect.arrayContaining(names.map((name) => `${name}.zst`)));
    await eventually("a word about it", () => daemon.log().includes("without an acknowledgement"));
    // It is in the bucket: PostgreSQL is told so, and not that it has to ask again.
    expect(await world.cluster.query("select failed_count from pg_stat_archiver")).toEqual([{ failed_count: "0" }]);
    daemon.child.kill("SIGTERM");
    expect((await daemon.ended).status).toBe(0);

    const name = await world.switchWal();
    await eventually(`${name} to be done`, () => doneNames(world.cluster).includes(name));
    const again = await world.run(["--env-file", world.envFile, `pg_wal/${name}`, name]);
    expect(again).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/^[^\n]*metrics are not up to date: unable to write[^\n]*\n$/) as string,
    });
  },
);
