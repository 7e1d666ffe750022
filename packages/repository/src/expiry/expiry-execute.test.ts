import { withFault } from "@soar/storage/testing";
import { createMemoryStore, readObject, type ObjectStore } from "@soar/storage";
import { expect, test } from "vitest";
import { createSampleRepository, day, labelOf, listKeys, segmentName } from "../../test/sample-repository.ts";
import { listBackupDirectories } from "../records/backup-directories.ts";
import { executeExpiry, removeBackup, type ExpiryEvent } from "./expiry-execute.ts";
import { planExpiry } from "./expiry-plan.ts";
import { readExpiryState } from "./expiry-state.ts";
import { backupKey } from "../records/keys.ts";
import { putKeep, putLease } from "../markers/marker-records.ts";

const NOW = day(100);
const POLICY = { windowDays: 30, minimumBackups: 4 };
const KEPT = [65, 72, 79, 86].map((number) => ({ day: number }));

/** Two full backups with an incremental on the second, all expired; a run that died long ago; one that is running. */
async function createRepository(): Promise<ObjectStore> {
  const expired = [{ day: 40 }, { day: 50 }, { day: 51, references: [labelOf({ day: 50 })] }];
  const runs = [
    { day: 60, unfinished: true },
    { day: 99, unfinished: true },
  ];
  const store = await createSampleRepository({
    now: NOW,
    backups: [...expired, ...runs, ...KEPT],
    wal: Array.from({ length: 60 }, (_, index) => segmentName(40 + index)),
  });
  await putLease(store, {
    format: 1,
    id: "lapsed",
    purpose: "verify",
    host: "h",
    labels: [],
    startedAt: day(90).toISOString(),
    expiresAt: day(91).toISOString(),
  });
  return store;
}

async function expire(store: ObjectStore, onEvent?: (event: ExpiryEvent) => void): Promise<void> {
  const state = await readExpiryState(store, { now: NOW });
  await executeExpiry(store, {
    state,
    policy: POLICY,
    plan: planExpiry(state, POLICY),
    ...(onEvent === undefined ? {} : { onEvent }),
  });
}

const labelsOf = (keys: readonly string[]) => [
  ...new Set(keys.filter((key) => key.startsWith("base/")).map((key) => key.split("/")[1])),
];

test("gives back the parts of small objects that nobody completed, after a day and wherever they lie", async () => {
  const clock = { now: day(98) };
  const store = createMemoryStore({ now: () => clock.now });
  const begin = async (...keys: readonly string[]): Promise<void> => {
    for (const key of keys)
      await (await store.beginMultipart(key, { partSize: 5 * 1024 * 1024 })).putPart(1, Buffer.of(1));
  };
  const keys = ["wal/x.zst", "tail/y/0", "config/leases/z.json"];
  await begin(...keys);
  clock.now = NOW;
  const sample = await createRepository();
  for (const key of await listKeys(sample)) await store.put(key, await readObject(sample, key));
  await begin("wal/young.zst", "tail/young/0");
  const aborted: string[] = [];
  await expire(store, (event) => event.type === "uploads-aborted" && aborted.push(...event.keys));
  expect(aborted.sort()).toEqual([...keys].sort());
});

test("removes what the plan says, of dead runs their uploads too, and nothing that lives", async () => {
  const store = await createRepository();
  const events: ExpiryEvent[] = [];
  await expire(store, (event) => events.push(event));
  const keys = await listKeys(store);
  expect(labelsOf(keys)).toEqual([65, 72, 79, 86, 99].map((number) => labelOf({ day: number })));
  expect(keys.filter((key) => key.startsWith("wal/"))).toEqual(
    Array.from({ length: 35 }, (_, index) => `wal/${segmentName(65 + index)}.zst`),
  );
  expect(keys).not.toContain("config/leases/lapsed.json");
  expect(await store.abortStaleUploads("base/", day(200))).toEqual([backupKey(labelOf({ day: 99 }), "16400.tar.gz")]);
  expect(events.map((event) => (event.type === "backup-removed" ? event.label : event.type))).toEqual([
    ...[51, 50, 40, 60].map((number) => labelOf({ day: number })),
    "wal-removed",
  ]);
});

/** The keys, without what makes that of a record of expired WAL its own. */
async function namesOf(store: ObjectStore): Promise<string[]> {
  return (await listKeys(store)).map((key) => key.replace(/^(config\/expired\/).*/, "$1"));
}

/** Whatever has a record is whole: its objects, its WAL, and everything that it refers to. */
async function expectConsistent(store: ObjectStore): Promise<void> {
  const keys = new Set(await listKeys(store));
  const directories = await listBackupDirectories(store);
  const complete = new Set(directories.flatMap(({ label, record }) => (record === undefined ? [] : [label])));
  for (const { label, record, objects } of directories) {
    // By it the next run recognises the rest.
    expect(objects.has("started.json"), label).toBe(true);
    if (record === undefined) continue;
    for (const { name } of record.objects) expect(keys).toContain(backupKey(label, name));
    for (const reference of record.references) expect(complete).toContain(reference);
    expect(keys).toContain(`wal/${record.firstSegment}.zst`);
  }
}

test(
  "a failure at any call, before or after its work, leaves a consistent repository, and the next run finishes",
  { timeout: 240_000 },
  async () => {
    const whole = withFault(await createRepository());
    await expire(whole);
    const calls = whole.calls;
    const finished = await namesOf(whole);
    expect(calls).toBeGreaterThan(50);
    let failures = 0;
    for (const when of ["before", "after"] as const) {
      for (let atCall = 1; atCall <= calls; atCall += 1) {
        const store = await createRepository();
        await expect(expire(withFault(store, { atCall, when }))).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
        failures += 1;
        await expectConsistent(store);
        await expire(store);
        expect(await namesOf(store), `after a failure ${when} call ${atCall}`).toEqual(finished);
      }
    }
    expect(failures).toBeGreaterThan(100);
  },
);

test("what is taken into use after the plan was made is spared", async () => {
  const store = await createRepository();
  const state = await readExpiryState(store, { now: NOW });
  const plan = planExpiry(state, POLICY);
  await putLease(store, {
    format: 1,
    id: "new",
    purpose: "restore",
    host: "h",
    labels: [labelOf({ day: 51 })],
    walFrom: segmentName(51),
    walTo: segmentName(53),
    startedAt: NOW.toISOString(),
    expiresAt: day(101).toISOString(),
  });
  await putKeep(store, labelOf({ day: 40 }), { format: 1, reason: "audit", keptAt: NOW.toISOString() });
  const outcome = await executeExpiry(store, { state, policy: POLICY, plan });
  expect(outcome.backups).toEqual([labelOf({ day: 60 })]);
  const keys = await listKeys(store, "wal/");
  expect(keys.slice(0, 6)).toEqual([40, 50, 51, 52, 53, 65].map((index) => `wal/${segmentName(index)}.zst`));
});

test("what became removable after the plan was shown waits for the next run", async () => {
  const store = await createRepository();
  const state = await readExpiryState(store, { now: NOW });
  const plan = planExpiry(state, POLICY);
  await executeExpiry(store, {
    state: { ...state, time: { ...state.time, now: day(200) } },
    policy: { windowDays: 1, minimumBackups: 1 },
    plan,
  });
  expect(labelsOf(await listKeys(store))).toEqual([65, 72, 79, 86, 99].map((number) => labelOf({ day: number })));
});

test("a record that cannot be read, or a timeline without its history, stops everything", async () => {
  const damaged = await createRepository();
  await damaged.remove([backupKey(labelOf({ day: 79 }), "backup.json")]);
  await damaged.put(backupKey(labelOf({ day: 79 }), "backup.json"), Buffer.from("{"));
  const before = await listKeys(damaged);
  await expect(expire(damaged)).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
  expect(await listKeys(damaged)).toEqual(before);
  const orphan = await createRepository();
  await orphan.put(`wal/${segmentName(80, 2)}.zst`, Buffer.from("x"));
  await expect(expire(orphan)).rejects.toMatchObject({ code: "WAL_MISSING" });
  const encrypted = await createRepository();
  await encrypted.put(`wal/${segmentName(80)}.zst.age`, Buffer.from("x"));
  await expect(expire(encrypted)).rejects.toMatchObject({ code: "REPOSITORY_VERSION" });
});

test("WAL of which all is taken into use after the plan was made stays, and nothing is said to be removed", async () => {
  const store = await createRepository();
  const state = await readExpiryState(store, { now: NOW });
  const plan = { ...planExpiry(state, POLICY), removeBackups: [] };
  await putLease(store, {
    format: 1,
    id: "new",
    purpose: "restore",
    host: "h",
    labels: [],
    walFrom: segmentName(40),
    walTo: segmentName(64),
    startedAt: NOW.toISOString(),
    expiresAt: day(101).toISOString(),
  });
  const events: ExpiryEvent[] = [];
  const outcome = await executeExpiry(store, { state, policy: POLICY, plan, onEvent: (event) => events.push(event) });
  expect(outcome).toEqual({ backups: [], wal: 0, bytes: 0 });
  expect(events.filter(({ type }) => type === "wal-removed")).toEqual([]);
  expect(await listKeys(store, "wal/")).toHaveLength(60);
});

test("a directory of which nothing is left takes no request to remove", async () => {
  const counted = withFault(await createRepository());
  await removeBackup(counted, { label: labelOf({ day: 40 }), objects: [] });
  expect(counted.calls).toBe(0);
});
