import { chown, copyFile, cp, lstat, mkdir, readFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readClusterState } from "@soar/pg-tools/cluster";
import { createTestCluster, requireInstallation, type TestCluster } from "@soar-tooling/postgres-clusters";
import { serverUser } from "@soar-tooling/test-bench";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readRestoreStatus } from "../src/index.ts";
import {
  findForgettable,
  findLocalWalPlaces,
  findOpened,
  forgetRestore,
  listKeptData,
  requireDiscardable,
  whyNotDiscardable,
} from "../src/in-place/index.ts";
import { readKeptRecord, writeKeptRecord, type KeptRecord } from "../src/status/kept-record.ts";
import { recordPath, writeRestoreRecord, type RestoreRecord } from "../src/status/restore-record.ts";

// What an interrupted restore has left in the directory of a cluster that somebody went on with.

let cluster: TestCluster;
beforeAll(async () => void (cluster = await createTestCluster({ installation: requireInstallation("postgres") })));
afterAll(() => cluster.remove());
beforeEach(async () => {
  if (!(await readClusterState(cluster.dataDir)).running) await cluster.start();
});

const outcome = {
  kind: "promoted",
  timeline: 2,
  reachedLsn: "1",
  lastCommitTime: undefined,
  restoredFiles: 3,
  stop: undefined,
  checks: undefined,
} as const;

/** As it would lie there after a restore that ended so long ago. */
async function leaveRecord(
  hoursAgo: number,
  more: Partial<RestoreRecord> = {},
  dataDir = cluster.dataDir,
): Promise<void> {
  const record: RestoreRecord = {
    format: 1,
    phase: "finish",
    systemIdentifier: "1",
    backup: "2025-01-05",
    target: "latest",
    stopLsn: "0/1",
    timeline: 1,
    action: "promote",
    tablespaces: [],
    processId: 1,
    startedAt: "2025-01-06T00:00:00Z",
    logOffset: 0,
    fetchedBytes: 1,
    sparedBytes: 0,
    totalBytes: 1,
    outcome,
    ...more,
  };
  await writeRestoreRecord(dataDir, record, serverUser());
  const then = new Date(Date.now() - hoursAgo * 3600_000);
  await utimes(recordPath(dataDir), then, then);
}

const place = (...names: readonly string[]) => join(cluster.dataDir, ...names);
const isFollowed = async () => (await readRestoreStatus(cluster.dataDir)) !== undefined;

test.each(["finish", "recover"] as const)(
  "is history in phase %s once the cluster was in use for longer than a restore takes to end, and its WAL is the newest",
  async (phase) => {
    await cluster.query("CHECKPOINT");
    await leaveRecord(2, { phase });
    expect(await isFollowed()).toBe(false);
    expect(await findLocalWalPlaces(cluster.dataDir)).toEqual([place("pg_wal")]);
    await cluster.stop();
    expect(await isFollowed()).toBe(false);
  },
);

test("is gone on with soon after, by whatever the server was started", async () => {
  await cluster.query("CHECKPOINT");
  await leaveRecord(0.5);
  expect(await isFollowed()).toBe(true);
  expect(await findLocalWalPlaces(cluster.dataDir)).toEqual([]);
});

test("is gone on with as long as the server can be reached by the restore's own socket only", async () => {
  await cluster.query("CHECKPOINT");
  await leaveRecord(48, { phase: "recover", privateDir: (await readClusterState(cluster.dataDir)).socketDir });
  expect(await isFollowed()).toBe(true);
});

test("is gone on with while the cluster is in recovery, or cannot be started yet, however long ago", async () => {
  await cluster.query("CHECKPOINT");
  await cluster.stop();
  await leaveRecord(48, { phase: "recover" });
  await writeFile(place("recovery.signal"), "");
  expect(await isFollowed()).toBe(true);
  await rename(place("recovery.signal"), place("recovery.done"));
  expect(await isFollowed()).toBe(false);
  await mkdir(place("soar-restore"), { recursive: true });
  await rename(place("global", "pg_control"), place("soar-restore", "pg_control.before"));
  expect(await isFollowed()).toBe(true);
  await rename(place("soar-restore", "pg_control.before"), place("global", "pg_control"));
  await chown(place("global", "pg_control"), serverUser().uid, serverUser().gid);
});

test("in phase opened it never lapses while its cluster is there, nothing kept is discarded, and for another target its WAL is the newest", async () => {
  await cluster.query("CHECKPOINT");
  await leaveRecord(480, { phase: "opened" });
  expect(await isFollowed()).toBe(true);
  expect(await findLocalWalPlaces(cluster.dataDir, "latest")).toEqual([]);
  expect(await findLocalWalPlaces(cluster.dataDir, "time 2025-01-06 00:00:00+00")).toEqual([place("pg_wal")]);
  await expect(requireDiscardable(cluster.dataDir, [])).rejects.toMatchObject({
    code: "SERVER_UNSUITABLE",
    message: expect.stringContaining("WAL may be in no repository yet") as string,
    hint: expect.stringContaining("(target: latest)") as string,
  });
  await cluster.stop();
  expect(await isFollowed()).toBe(true);
  await rename(place("global", "pg_control"), place("pg_control.gone"));
  expect(await isFollowed()).toBe(false);
  await rename(place("pg_control.gone"), place("global", "pg_control"));
});

test("in phase opened a pg_control that is only torn is no absence, and forgotten it is over, whatever its list of WAL", async () => {
  await cluster.query("CHECKPOINT");
  await leaveRecord(480, { phase: "opened" });
  await cluster.stop();
  const whole = await readFile(place("global", "pg_control"));
  await writeFile(place("global", "pg_control"), whole.subarray(0, 100));
  expect(await isFollowed()).toBe(true);
  await writeFile(place("global", "pg_control"), whole);
  expect(await findOpened(cluster.dataDir)).toMatchObject({ target: "latest", waiting: undefined });
  await forgetRestore(cluster.dataDir);
  expect(await findOpened(cluster.dataDir)).toBeUndefined();
  expect(await isFollowed()).toBe(false);
});

test("in phase finish, in which its server does not start, it is forgotten, too", async () => {
  await leaveRecord(0);
  expect(await findOpened(cluster.dataDir)).toBeUndefined();
  expect(await findForgettable(cluster.dataDir)).toMatchObject({ target: "latest", systemIdentifier: "1" });
  await forgetRestore(cluster.dataDir);
  expect(await findForgettable(cluster.dataDir)).toBeUndefined();
  expect(await isFollowed()).toBe(false);
});

test.each(["at-target", "recover"] as const)(
  "in phase %s it is forgotten where its server has ended recovery, and not while it recovers or was never started",
  async (phase) => {
    await leaveRecord(0, { phase });
    for (const name of ["recovery.signal", "standby.signal", "backup_label"]) {
      await writeFile(place(name), "");
      expect(await findForgettable(cluster.dataDir), name).toBeUndefined();
      await rm(place(name));
    }
    await leaveRecord(0, { phase: "fetch" });
    expect(await findForgettable(cluster.dataDir)).toBeUndefined();
    await leaveRecord(0, { phase });
    expect(await findForgettable(cluster.dataDir)).toMatchObject({ target: "latest" });
    await forgetRestore(cluster.dataDir);
    expect(await isFollowed()).toBe(false);
  },
);

test("a kept directory in which a restore was interrupted while it stored WAL is not discarded untold", async () => {
  const path = `${cluster.dataDir}.kept`;
  await mkdir(path);
  await chown(path, serverUser().uid, serverUser().gid);
  await leaveRecord(480, { phase: "opened" }, path);
  const kept = [{ path, kind: "cluster", keptAt: undefined, outside: [], gone: [], bytes: 0 }] as const;
  await expect(requireDiscardable(cluster.dataDir, kept)).rejects.toMatchObject({
    code: "SERVER_UNSUITABLE",
    message: expect.stringContaining("WAL may be in no repository yet") as string,
    hint: expect.stringContaining(`soar-restore forget --data-dir ${path}`) as string,
  });
  await forgetRestore(path);
  await requireDiscardable(cluster.dataDir, kept);
});

describe("what is removed has to be what a restore has put aside", () => {
  const keptAs = (): string => `${cluster.dataDir}.before-restore-20260110T143000Z`;
  const control = (): string => join(keptAs(), "global", "pg_control");
  beforeEach(async () => {
    await rm(recordPath(cluster.dataDir), { force: true });
    await mkdir(join(keptAs(), "global"), { recursive: true });
    await copyFile(place("global", "pg_control"), control());
    const systemIdentifier = String((await readFile(control())).readBigUInt64LE());
    await writeKeptRecord(keptAs(), {
      format: 1,
      dataDir: cluster.dataDir,
      keptAs: keptAs(),
      keptAt: "2026-01-10T14:30:00Z",
      systemIdentifier,
      inode: String((await lstat(keptAs(), { bigint: true })).ino),
      moved: [],
    });
  });
  afterEach(() => rm(keptAs(), { recursive: true }));
  const discardable = async (): Promise<void> =>
    await requireDiscardable(cluster.dataDir, await listKeptData(cluster.dataDir));

  test("as it was put there, or half removed", async () => {
    await expect(discardable()).resolves.toBeUndefined();
    await rm(control());
    await expect(discardable()).resolves.toBeUndefined();
  });

  test("not another directory of its name, into which the record was copied", async () => {
    await rename(keptAs(), `${keptAs()}-moved`);
    await cp(`${keptAs()}-moved`, keptAs(), { recursive: true });
    await rm(`${keptAs()}-moved`, { recursive: true });
    await expect(discardable()).rejects.toMatchObject({
      code: "DIRECTORY_FOREIGN",
      message: `unable to discard '${keptAs()}': it is not the directory that a restore has put aside, but has its name`,
    });
    const kept = await listKeptData(cluster.dataDir);
    expect(kept.map(({ path }) => path)).toEqual([keptAs()]);
    expect(await whyNotDiscardable(cluster.dataDir, kept)).toMatchObject({ code: "DIRECTORY_FOREIGN" });
  });

  test("not what lies elsewhere by now, and what a link of its name leads to is shown as it is, or as nothing", async () => {
    const moved = `${cluster.dataDir}-elsewhere`;
    await rename(keptAs(), moved);
    await chown(moved, serverUser().uid, serverUser().gid);
    await symlink(moved, keptAs());
    const kept = await listKeptData(cluster.dataDir);
    expect(kept.map(({ path }) => path)).toEqual([keptAs()]);
    expect(await whyNotDiscardable(cluster.dataDir, kept)).toMatchObject({ code: "DIRECTORY_FOREIGN" });
    await rm(moved, { recursive: true });
    expect(await listKeptData(cluster.dataDir)).toEqual([]);
  });

  test("and of what belongs to it only what is there is told to be", async () => {
    const record = (await readKeptRecord(keptAs())) as KeptRecord;
    const from = (name: string) => `${cluster.dataDir}-${name}`;
    const moved = ["here", "gone"].map((name, at) => ({
      link: `pg_tblspc/${at}`,
      from: from(name),
      to: `${from(name)}.before-restore-20260110T143000Z`,
    }));
    await writeKeptRecord(keptAs(), { ...record, moved });
    const [here = "", gone = ""] = moved.map(({ to }) => to);
    await mkdir(here);
    expect(await listKeptData(cluster.dataDir)).toMatchObject([{ outside: [here], gone: [gone] }]);
    await rm(here, { recursive: true });
  });

  test("not another cluster that was put there", async () => {
    const bytes = await readFile(control());
    bytes.writeBigUInt64LE(7n);
    await writeFile(control(), bytes);
    await expect(discardable()).rejects.toMatchObject({
      code: "DIRECTORY_FOREIGN",
      message: expect.stringContaining(
        "it holds a cluster with system identifier 7, and a restore has kept ",
      ) as string,
    });
  });

  test("not what the restored server uses", async () => {
    await mkdir(join(keptAs(), "space"));
    await symlink(join(keptAs(), "space"), place("pg_tblspc", "99999"));
    try {
      await expect(discardable()).rejects.toMatchObject({
        code: "SERVER_RUNNING",
        message: expect.stringMatching(/pg_tblspc\/99999', which the restored server uses, leads to '/) as string,
      });
    } finally {
      await rm(place("pg_tblspc", "99999"));
    }
  });
});
