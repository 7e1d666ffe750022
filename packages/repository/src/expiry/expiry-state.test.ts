import { formatTimelineHistory, lsnOfSegmentIndex } from "@soar/pg-tools";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { expect, test } from "vitest";
import { createSampleRepository, day, SEGMENT_SIZE, segmentName } from "../../test/sample-repository.ts";
import { claimRepository } from "../claim/claim-repository.ts";
import { readExpiryState, readStamps } from "./expiry-state.ts";

const NOW = day(100);
const create = () =>
  createSampleRepository({ now: NOW, backups: [{ day: 90 }], wal: [segmentName(90), segmentName(91)] });
/** The same objects, as a provider with a clock of its own would serve them. */
const byServer = (store: ObjectStore): ObjectStore => ({ ...store, features: { ...store.features, server: "s3:443" } });

test("the newest stamp is that of WAL or of a backup, and an empty repository has none", async () => {
  let now = day(1);
  const store = createMemoryStore({ now: () => now });
  expect((await readStamps(store)).newest).toBeUndefined();
  for (const [key, number] of [
    ["base/2025-01-02/backup.json", 4],
    ["base/2025-01-03/started.json", 3],
    ["wal/000000010000000000000001.zst", 2],
    ["config/backup-config.json", 9],
  ] as const) {
    now = day(number);
    await store.put(key, Buffer.of(1));
  }
  expect((await readStamps(store)).newest).toEqual(day(4));
  now = day(5);
  await store.put("wal/000000010000000000000002.zst", Buffer.of(1));
  expect((await readStamps(store)).newest).toEqual(day(5));
});

test("what this run stored itself proves no time where this machine does the stamping, and does where a server stamps", async () => {
  const store = await create();
  const before = { now: day(500), stampBefore: day(95) };
  expect((await readExpiryState(store, before)).time.now).toEqual(day(95));
  expect((await readExpiryState(byServer(store), before)).time.now).toEqual(NOW);
  expect((await readExpiryState(store, { now: day(500) })).time.now).toEqual(NOW);
});

test("a file that archive_command may be given is seen, and makes no timeline; any other stops everything", async () => {
  const store = await create();
  await store.put("wal/notes.txt", Buffer.of(1));
  const state = await readExpiryState(store, { now: NOW });
  expect(state.wal.map(({ name }) => name)).toContain("notes.txt");
  expect(state.timelines.map(({ history }) => history.timeline)).toEqual([1]);
  await store.put("wal/my-notes.txt", Buffer.of(1));
  await expect(readExpiryState(store, { now: NOW })).rejects.toMatchObject({
    code: "REPOSITORY_DAMAGED",
    message: "'memory:/wal/my-notes.txt' is no WAL file that this version can read",
  });
});

test("a timeline without its history stops everything where WAL of it is there, and only there", async () => {
  const store = await create();
  await store.put("wal/00000007.history", Buffer.from("<Error/>"));
  expect((await readExpiryState(store, { now: NOW })).timelines.map(({ history }) => history.timeline)).toEqual([1]);
  await store.put(`wal/${segmentName(92, 7)}.zst`, Buffer.of(1));
  await expect(readExpiryState(store, { now: NOW })).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
});

test("a timeline was last written to when its newest file was stored, whichever that is", async () => {
  let now = day(98);
  const store = createMemoryStore({ now: () => now });
  await claimRepository(
    store,
    { systemIdentifier: "7000000000000000001", postgresMajor: 15, walSegmentSize: SEGMENT_SIZE },
    { toolVersion: "test", now },
  );
  const entries = [{ timeline: 1, switchLsn: lsnOfSegmentIndex(91, SEGMENT_SIZE) + 8n, reason: "" }];
  for (const [number, name, content] of [
    [95, `${segmentName(90)}.zst`, ""],
    [99, `${segmentName(91)}.zst`, ""],
    [97, `${segmentName(92)}.zst`, ""],
    [120, "00000002.history", formatTimelineHistory({ timeline: 2, entries })],
  ] as const) {
    now = day(number);
    await store.put(`wal/${name}`, Buffer.from(content));
  }
  const { timelines } = await readExpiryState(store, { now: day(121) });
  expect(timelines.map(({ history, lastArchivedAt }) => [history.timeline, lastArchivedAt])).toEqual([
    [1, day(99)],
    [2, day(120)],
  ]);
});

test.each([
  ["this machine", (store: ObjectStore) => store],
  ["a server", byServer],
])("time that leapt within the window is not counted, whoever stamps; one before it is: %s", async (_, on) => {
  let now = day(1);
  const files = createMemoryStore({ now: () => now });
  await claimRepository(
    files,
    { systemIdentifier: "7000000000000000001", postgresMajor: 15, walSegmentSize: SEGMENT_SIZE },
    { toolVersion: "test", now },
  );
  for (const number of [1, 2, 3, 403, 404]) {
    now = day(number);
    await files.put(`wal/${segmentName(number)}.zst`, Buffer.of(1));
  }
  const store = on(files);
  const at = async (options: { windowDays?: number; trustClock?: boolean }) =>
    (await readExpiryState(store, { now: day(404), ...options })).time;
  expect(await at({ windowDays: 30 })).toMatchObject({ now: day(4), leapMs: 400 * 86_400_000 });
  // Leases are judged by days, however short the window is.
  expect((await at({ windowDays: 0 })).now).toEqual(day(4));
  expect((await at({ windowDays: 30, trustClock: true })).now).toEqual(day(404));
  for (const number of [405, 412]) {
    now = day(number);
    await files.put(`wal/${segmentName(number)}.zst`, Buffer.of(1));
  }
  const later = await readExpiryState(store, { now: day(412), windowDays: 8 });
  expect(later.time).toMatchObject({ now: day(412) });
  expect(later.time).not.toHaveProperty("leapMs");
  expect((await readExpiryState(store, { now: day(412), windowDays: 10 })).time.now).toEqual(day(12));
});
