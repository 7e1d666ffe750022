import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import { formatWalSegment, parseWalSegment } from "@soar/pg-tools";
import { walKey } from "@soar/repository/wal";
import type { ArchiveWal } from "@soar/restore";
import { createMemoryStore } from "@soar/storage";
import { requireInstallation } from "@soar-tooling/postgres-clusters";
import { expect, test } from "vitest";
import { filesSource } from "../src/index.ts";
import { type BackupWorld, createBackupWorld, keysOf } from "./backup-world.ts";
import { expectNoBackup } from "./expect-no-backup.ts";
import { archiveTo, startWalCourier } from "./wal-courier.ts";

const installation = requireInstallation();
const SEGMENT = 1024 * 1024;

/** Reads the files and stores their WAL itself. */
const fromHere = (world: BackupWorld, archiveWal: ArchiveWal = archiveTo(world.store)) => ({
  source: filesSource({ ...world.cluster.connection, applicationName: "test" }),
  archiveWal,
});

/** Something is written, so that beginning a backup finishes a segment. */
const write = async ({ cluster }: BackupWorld): Promise<void> => {
  await cluster.query("create table if not exists t (n int)");
  await cluster.query("insert into t select generate_series(1, 1000)");
};

test(
  "a backup stores the WAL that it needs itself, when the archiver is seen to work and is behind",
  { timeout: 120_000 },
  async () => {
    const courier = await startWalCourier();
    const { directory, archiveCommand: deliver } = courier;
    // One file, and no other before it is told to go on.
    const archiveCommand = `{ test -z "$(ls ${directory}/box)" || test -e ${directory}/on; } && ${deliver}`;
    await using world = await createBackupWorld({ installation, archiveCommand });
    courier.deliverTo(world.store);
    await write(world);
    const record = await world.take({ ...fromHere(world), walTimeoutMs: 1000 });
    expect(record.backupHistory?.name).toMatch(/\.backup$/);
    const names = keysOf(world, "wal/").map((key) => key.slice("wal/".length).replace(/\.zst$/, ""));
    expect(names).toEqual(
      expect.arrayContaining([record.firstSegment, record.lastSegment, record.backupHistory?.name]),
    );
    const archiver = async () => (await world.cluster.query("select last_archived_wal from pg_stat_archiver"))[0];
    const first = { last_archived_wal: formatWalSegment(before(record.firstSegment), SEGMENT) };
    expect(await archiver()).toEqual(first);

    // What the archiver brings later is there already, with the same bytes.
    writeFileSync(join(directory, "on"), "");
    await world.cluster.query("select pg_switch_wal()");
    await expect.poll(archiver, { timeout: 90_000 }).not.toEqual(first);
    await courier.close();
  },
);

const before = (name: string): { timeline: number; index: number } => {
  const { timeline, index } = parseWalSegment(name, SEGMENT);
  return { timeline, index: index - 1 };
};

test("a backup that could store its WAL itself still ends when the archiver stores elsewhere", async () => {
  await using world = await createBackupWorld({ installation, archiveCommand: "true" });
  await write(world);
  await expect(world.take({ ...fromHere(world), archiverPatienceMs: 1500 })).rejects.toMatchObject({
    code: "WAL_TIMEOUT",
    message: expect.stringContaining("the server has counted it as archived") as string,
  });
  await expectNoBackup(world.store);
});

test("a backup waits for the archiver where nothing else shows that it works", async () => {
  await using world = await createBackupWorld({ installation });
  await write(world);
  await world.cluster.query("select pg_switch_wal()");
  world.courier.deliverTo(createMemoryStore());
  await expect(world.take({ ...fromHere(world), walTimeoutMs: 1500 })).rejects.toMatchObject({ code: "WAL_TIMEOUT" });
  await expectNoBackup(world.store);
});

test("what cannot be stored from here is left to the archiver, and told when that does not bring it either", async () => {
  await using world = await createBackupWorld({ installation });
  const refused: ArchiveWal = () => Promise.reject(new SoarError("STORE_DENIED", "no right to write there"));
  await write(world);
  await expect(world.take(fromHere(world, refused))).resolves.toMatchObject({ kind: "full" });
  await write(world);
  world.courier.deliverTo(createMemoryStore());
  await expect(world.take({ ...fromHere(world, refused), walTimeoutMs: 1500 })).rejects.toMatchObject({
    code: "WAL_TIMEOUT",
    message: expect.stringContaining("from here it could not be stored either: no right to write there") as string,
  });
});

test("other bytes under the name of its WAL end a backup at once", async () => {
  const courier = await startWalCourier();
  const archiveCommand = `test -z "$(ls ${courier.directory}/box)" && ${courier.archiveCommand}`;
  await using world = await createBackupWorld({ installation, archiveCommand });
  courier.deliverTo(world.store);
  await write(world);
  const [row] = await world.cluster.query<{ name: string }>("select pg_walfile_name(pg_current_wal_lsn()) as name");
  const { timeline, index } = parseWalSegment(row?.name ?? "", SEGMENT);
  const next = formatWalSegment({ timeline, index: index + 1 }, SEGMENT);
  await world.store.put(walKey(next, "none"), Buffer.alloc(SEGMENT, 7));
  await expect(world.take(fromHere(world))).rejects.toMatchObject({ code: "WAL_CONFLICT" });
  await expectNoBackup(world.store);
  await courier.close();
});
