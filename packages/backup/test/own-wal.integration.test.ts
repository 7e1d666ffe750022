import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { formatWalSegment, parseWalSegment } from "@soar/pg-tools";
import { walKey } from "@soar/repository/wal";
import type { ArchiveWal } from "@soar/restore";
import { createMemoryStore } from "@soar/storage";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { type BackupEvent, type BackupSource, filesSource, type TakeBackupOptions } from "../src/index.ts";
import { type BackupWorld, createBackupWorld, keysOf } from "./backup-world.ts";
import { expectNoBackup } from "./expect-no-backup.ts";
import { archiveTo, startWalCourier } from "./wal-courier.ts";

const installation = requireInstallation();
const SEGMENT = 1024 * 1024;

interface OwnRun {
  readonly archiveWal?: ArchiveWal;
  /** Whether the copying waits until the archiver was seen to store the segment that was finished when it began. */
  readonly waits?: boolean;
  /** Happens while the files are copied. */
  readonly meanwhile?: () => Promise<void>;
}

/** Reads the files, and stores their WAL itself; `stored` are the names that it was asked to. */
function fromHere(world: BackupWorld, { archiveWal = archiveTo(world.store), waits = true, meanwhile }: OwnRun = {}) {
  const stored: string[] = [];
  const events: BackupEvent[] = [];
  const seen = Promise.withResolvers<void>();
  if (!waits) seen.resolve();
  const files = filesSource({ ...world.cluster.connection, applicationName: "test" });
  const source: BackupSource = {
    method: "files",
    check: (facts) => files.check(facts),
    begin: async (request) => {
      const running = await files.begin(request);
      return {
        ...running,
        async *archives() {
          await seen.promise;
          await meanwhile?.();
          yield* running.archives();
        },
      };
    },
  };
  const options = {
    source,
    archiveWal: async (path, name, given) => {
      stored.push(name);
      return await archiveWal(path, name, given);
    },
    onEvent(event) {
      events.push(event);
      if (event.type === "archiver-seen") seen.resolve();
    },
  } satisfies Partial<TakeBackupOptions>;
  return { options, stored, events };
}

/** Something is written, so that beginning a backup finishes a segment. */
const write = async ({ cluster }: BackupWorld): Promise<void> => {
  await cluster.query("create table if not exists t (n int)");
  await cluster.query("insert into t select generate_series(1, 1000)");
};

/** A world whose archiver delivers one file, and no other before it is let go on. */
async function createStuckWorld(): Promise<BackupWorld & { letGoOn: () => void }> {
  const courier = await startWalCourier();
  const { directory, archiveCommand: deliver } = courier;
  const archiveCommand = `{ test -z "$(ls ${directory}/box)" || test -e ${directory}/on; } && ${deliver}`;
  const world = await createBackupWorld({ installation, archiveCommand });
  courier.deliverTo(world.store);
  await write(world);
  return {
    ...world,
    letGoOn: () => writeFileSync(join(directory, "on"), ""),
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      // Rejects when something that it brought was there with other bytes.
      await courier.close();
    },
  };
}

/** Finishes a segment, and waits until the archive command has failed for one. */
const finishSegment = async (world: BackupWorld): Promise<void> => {
  await write(world);
  await world.cluster.query("select pg_switch_wal()");
  await expect
    .poll(async () => (await world.cluster.query("select failed_count > 0 as failed from pg_stat_archiver"))[0], {
      timeout: 30_000,
    })
    .toEqual({ failed: true });
};

test(
  "a backup stores its newest WAL itself, when the archiver was seen to work and is behind, and tells that it fails",
  { timeout: 150_000 },
  async () => {
    await using world = await createStuckWorld();
    const { options, stored, events } = fromHere(world, { meanwhile: () => finishSegment(world) });
    const record = await world.take({ ...options, walTimeoutMs: 1000 });
    expect(stored).toEqual([record.firstSegment, record.lastSegment, record.backupHistory?.name]);
    const names = keysOf(world, "wal/").map((key) => key.slice("wal/".length).replace(/\.zst$/, ""));
    expect(names).toEqual(expect.arrayContaining(stored));
    expect(events.at(-1)).toEqual({
      type: "archiver-doubt",
      doubt: `the server's archive command fails for '${record.firstSegment}'`,
    });

    // What the archiver brings later is there already, with the same bytes.
    world.letGoOn();
    await world.cluster.query("select pg_switch_wal()");
    await expect
      .poll(
        async () =>
          (
            await world.cluster.query("select last_archived_wal >= $1 as past from pg_stat_archiver", [
              record.lastSegment,
            ])
          )[0],
        { timeout: 90_000 },
      )
      .toEqual({ past: true });
  },
);

test("an archiver that is further behind than the newest segments is waited for", async () => {
  await using world = await createStuckWorld();
  const { options, stored } = fromHere(world, {
    meanwhile: async () => {
      for (let count = 0; count < 3; count += 1) await finishSegment(world);
    },
  });
  await expect(world.take({ ...options, walTimeoutMs: 1000 })).rejects.toMatchObject({
    code: "WAL_TIMEOUT",
    message: expect.stringMatching(/from here it was not stored either: the server's archiver is still at/) as string,
  });
  expect(stored).toEqual([]);
  await expectNoBackup(world.store);
});

test("an archiver that was not seen to store anything here is waited for", async () => {
  await using world = await createBackupWorld({ installation, archiveCommand: "true" });
  await write(world);
  const { options, stored } = fromHere(world, { waits: false });
  await expect(world.take({ ...options, walTimeoutMs: 1500 })).rejects.toMatchObject({ code: "WAL_TIMEOUT" });
  expect(stored).toEqual([]);
  await expectNoBackup(world.store);
});

test("an archiver that was seen to work too long ago is waited for", async () => {
  await using world = await createStuckWorld();
  const { options, stored } = fromHere(world);
  await expect(world.take({ ...options, archiverFreshMs: 0, walTimeoutMs: 1500 })).rejects.toMatchObject({
    code: "WAL_TIMEOUT",
  });
  expect(stored).toEqual([]);
  await expectNoBackup(world.store);
});

test("an archiver that had nothing to store when the backup began is waited for", async () => {
  await using world = await createBackupWorld({ installation });
  await write(world);
  await world.cluster.query("select pg_switch_wal()");
  world.courier.deliverTo(createMemoryStore());
  const { options, stored } = fromHere(world, { waits: false });
  await expect(world.take({ ...options, walTimeoutMs: 1500 })).rejects.toMatchObject({ code: "WAL_TIMEOUT" });
  expect(stored).toEqual([]);
  await expectNoBackup(world.store);
});

test("what cannot be stored from here is left to the archiver, and told when that does not bring it either", async () => {
  await using world = await createStuckWorld();
  const archiveWal: ArchiveWal = () => Promise.reject(new SoarError("STORE_DENIED", "no right to write there"));
  await expect(world.take({ ...fromHere(world, { archiveWal }).options, walTimeoutMs: 1500 })).rejects.toMatchObject({
    code: "WAL_TIMEOUT",
    message: expect.stringContaining("from here it was not stored either: no right to write there") as string,
  });
  await expectNoBackup(world.store);
});

test("other bytes under the name of its WAL end a backup at once", async () => {
  await using world = await createStuckWorld();
  const [row] = await world.cluster.query<{ name: string }>("select pg_walfile_name(pg_current_wal_lsn()) as name");
  const { timeline, index } = parseWalSegment(row?.name ?? "", SEGMENT);
  const next = formatWalSegment({ timeline, index: index + 1 }, SEGMENT);
  // Once the repository is this cluster's: nobody claims one of which nothing can be read.
  const meanwhile = async (): Promise<void> =>
    void (await world.store.put(walKey(next, "none"), Buffer.alloc(SEGMENT, 7)));
  await expect(world.take(fromHere(world, { meanwhile }).options)).rejects.toMatchObject({ code: "WAL_CONFLICT" });
  await expectNoBackup(world.store);
});

test("a backup that is stopped while its WAL is stored ends at once", async () => {
  await using world = await createStuckWorld();
  const stop = new AbortController();
  const archiveWal: ArchiveWal = (_path, _name, { signal }) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener("abort", () => reject(new SoarError("ABORTED", "stopped")));
      stop.abort();
    });
  await expect(world.take({ ...fromHere(world, { archiveWal }).options, signal: stop.signal })).rejects.toMatchObject({
    code: "ABORTED",
  });
  await expectNoBackup(world.store);
});
