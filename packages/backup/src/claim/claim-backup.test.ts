import { uptime } from "node:os";
import { ownIdentity, readProcessStat } from "@soar/durable-files/processes";
import { hasErrorCode, SoarError } from "@soar/errors";
import { putBackupRecord } from "@soar/repository";
import { claimLabel, findStarted, type StartedRecord } from "@soar/repository/markers";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { sampleRecord } from "@soar-tooling/sample-repository";
import { startUncollected } from "@soar-tooling/test-bench";
import { expect, onTestFinished, test } from "vitest";
import { claimBackup, type ClaimBackupOptions, type ClaimedBackup, withdrawClaim } from "./claim-backup.ts";

const now = new Date("2025-01-05T02:00:00Z");

function claim(store: ObjectStore, label: string, more: Partial<ClaimBackupOptions> = {}): Promise<ClaimedBackup> {
  return claimBackup(store, {
    label,
    host: "db1",
    now: () => now,
    holdsLock: false,
    ...more,
  });
}

/** A store in which nobody's claim is written before everybody has looked. */
function meetBeforeWriting(store: ObjectStore, runs: number): ObjectStore {
  const { promise, resolve } = Promise.withResolvers<void>();
  let arrived = 0;
  return {
    ...store,
    async put(...given) {
      if (++arrived === runs) resolve();
      await promise;
      return store.put(...given);
    },
  };
}

async function claimsIn(store: ObjectStore, labels: readonly string[]): Promise<string[]> {
  const found = await Promise.all(labels.map((label) => findStarted(store, label)));
  return found.flatMap((started) => (started === undefined ? [] : [started.label]));
}

test("of runs that look at the same moment no two go on, and none that withdraws leaves its claim", async () => {
  const store = createMemoryStore();
  const labels = ["2025-01-01", "2025-01-02", "2025-01-03"];
  const together = meetBeforeWriting(store, labels.length);
  const outcomes = await Promise.allSettled(labels.map((label) => claim(together, label)));
  const winners = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value.label] : []));
  expect(winners.length).toBeLessThanOrEqual(1);
  for (const outcome of outcomes)
    if (outcome.status === "rejected")
      expect(hasErrorCode(outcome.reason, "BACKUP_RUNNING"), String(outcome.reason)).toBe(true);
  expect(await claimsIn(store, labels)).toEqual(winners);
  // Whoever comes next has the way free, or sees the winner.
  const next = await claim(store, "2025-01-04").catch((error: unknown) => error);
  expect(hasErrorCode(next, "BACKUP_RUNNING")).toBe(winners.length === 1);
});

test("what a run reads is protected by its claim", async () => {
  const store = createMemoryStore();
  await claim(store, "2025-01-05", { reads: ["2025-01-03", "2025-01-01"] });
  expect(await findStarted(store, "2025-01-05")).toMatchObject({
    references: ["2025-01-03", "2025-01-01"],
    fromStandby: true,
  });
});

test("with the primary's lock other claims of the primary are dead, those of standbys are not", async () => {
  const store = createMemoryStore();
  const other = {
    format: 1 as const,
    host: "db2",
    processId: 1,
    startedAt: now.toISOString(),
    deadline: new Date(now.getTime() + 60_000).toISOString(),
    references: [],
  };
  await claimLabel(store, { ...other, label: "2025-01-01" });
  await expect(claim(store, "2025-01-02", { holdsLock: true })).resolves.toMatchObject({ label: "2025-01-02" });
  expect(await claimsIn(store, ["2025-01-01"])).toEqual([]);
  await claimLabel(store, { ...other, label: "2025-01-03", fromStandby: true });
  await expect(claim(store, "2025-01-04", { holdsLock: true })).rejects.toMatchObject({
    code: "BACKUP_RUNNING",
    message: expect.stringContaining("on db2") as string,
  });
});

test("a claim of a standby lapses by what the repository shows, not by a clock that is ahead of it", async () => {
  const store = createMemoryStore();
  await claimLabel(store, {
    format: 1,
    host: "db2",
    processId: 1,
    fromStandby: true,
    label: "2025-01-01",
    startedAt: now.toISOString(),
    deadline: new Date(now.getTime() + 86_400_000).toISOString(),
    references: [],
  });
  const later = (days: number): Date => new Date(now.getTime() + days * 86_400_000);
  const ahead = { now: () => later(400) };
  await expect(claim(store, "2025-01-02", { ...ahead, newestStamp: now })).rejects.toMatchObject({
    code: "BACKUP_RUNNING",
  });
  expect(await claimsIn(store, ["2025-01-01"])).toEqual(["2025-01-01"]);
  await expect(claim(store, "2025-01-03", { ...ahead, newestStamp: later(2) })).resolves.toMatchObject({
    label: "2025-01-03",
  });
});

test("a claim that cannot be withdrawn is told, and stays for the next run to remove", async () => {
  const store = createMemoryStore();
  const claimed = await claim(store, "2025-01-05");
  const told: unknown[] = [];
  const stuck: ObjectStore = {
    ...store,
    remove: () => Promise.reject(new SoarError("STORE_DENIED", "unable to remove: not allowed")),
  };
  await withdrawClaim(stuck, claimed, { host: "db1", onEvent: (event) => told.push(event) });
  expect(told).toEqual([{ type: "interrupted-left", label: "2025-01-05", reason: "unable to remove: not allowed" }]);
  expect(await claimsIn(store, ["2025-01-05"])).toEqual(["2025-01-05"]);
  await withdrawClaim(store, claimed, { host: "db2" });
  expect(await claimsIn(store, ["2025-01-05"])).toEqual(["2025-01-05"]);
  await withdrawClaim(store, claimed, { host: "db1" });
  expect(await claimsIn(store, ["2025-01-05"])).toEqual([]);
});

const identity = await ownIdentity();
if (identity === undefined) throw new Error("this system does not tell which process this is");
const { boot, namespace, start } = identity;
// Not every machine that runs tests has an id.
const machine = identity.machine ?? "none";
const booted = Date.now() - uptime() * 1000;
const afterBoot = new Date(booted + 5_000);
const beforeBoot = new Date(booted - 5_000);
const FREE_ID = 2 ** 22 + 1;

test.each<[string, Partial<StartedRecord>]>([
  ["lives", { processId: process.pid, process: { boot, namespace, start } }],
  ["is of a container of this name, where its id is nobody's here", claimOf(FREE_ID, { namespace: "pid:[1]" })],
  ["is of a container of this name, where its id is another's here", claimOf(process.pid, { namespace: "pid:[1]" })],
  ["is of a machine of this name that was started at another time", claimOf(FREE_ID, { machine, boot: "another" })],
  ["is of another machine", { ...claimOf(FREE_ID, {}), host: "db2" }],
  ["was not named by the version that began it", { processId: FREE_ID }],
])("a standby's run whose process %s may be alive", async (_name, claimant) => {
  const store = createMemoryStore();
  await claimLabel(store, standbyClaim(afterBoot, claimant));
  await expect(claim(store, "2025-01-02", { now: () => new Date() })).rejects.toMatchObject({ code: "BACKUP_RUNNING" });
  expect(await claimsIn(store, ["2025-01-01"])).toEqual(["2025-01-01"]);
});

test.each<[string, Partial<StartedRecord["process"]>]>([
  ["another machine of this name", { machine: "0123456789abcdef0123456789abcdef" }],
  ["a machine that has no id, or was not named by the version that began it", {}],
])("a standby's run on %s, that was begun before this one was started, may be alive", async (_name, where) => {
  const store = createMemoryStore();
  await claimLabel(store, standbyClaim(beforeBoot, claimOf(FREE_ID, { boot: "another", ...where })));
  await expect(claim(store, "2025-01-02", { now: () => new Date() })).rejects.toMatchObject({ code: "BACKUP_RUNNING" });
  expect(await claimsIn(store, ["2025-01-01"])).toEqual(["2025-01-01"]);
});

test("a standby's run before this very machine was started again is cleaned up behind, if the machine has an id", async () => {
  const store = createMemoryStore();
  await claimLabel(store, standbyClaim(beforeBoot, claimOf(FREE_ID, { machine, boot: "another" })));
  const outcome = await claim(store, "2025-01-02", { now: () => new Date() }).catch((error: unknown) => error);
  expect(hasErrorCode(outcome, "BACKUP_RUNNING")).toBe(identity.machine === undefined);
  expect(await claimsIn(store, ["2025-01-01"])).toEqual(identity.machine === undefined ? ["2025-01-01"] : []);
});

test("a standby's run that has ended and that nobody collects is cleaned up behind", async () => {
  const store = createMemoryStore();
  const { id, collect } = await startUncollected();
  onTestFinished(collect);
  await claimLabel(store, standbyClaim(afterBoot, claimOf(id, { start: (await readProcessStat(id))?.start ?? "" })));
  await claim(store, "2025-01-02", { now: () => new Date() });
  expect(await claimsIn(store, ["2025-01-01"])).toEqual([]);
});

test.each<[string, Partial<StartedRecord>, Date]>([
  ["has ended", claimOf(FREE_ID, {}), afterBoot],
  ["has ended, and its id was given out again", claimOf(process.pid, {}), afterBoot],
])("a standby's run whose process %s is cleaned up behind", async (_name, claimant, startedAt) => {
  const store = createMemoryStore();
  await claimLabel(store, standbyClaim(startedAt, claimant));
  await claim(store, "2025-01-02", { now: () => new Date() });
  expect(await claimsIn(store, ["2025-01-01"])).toEqual([]);
});

function claimOf(processId: number, where: Partial<StartedRecord["process"]>): Partial<StartedRecord> {
  return { processId, process: { boot, namespace, start: "1", ...where } };
}

function standbyClaim(startedAt: Date, claimant: Partial<StartedRecord>): StartedRecord {
  return {
    format: 1,
    label: "2025-01-01",
    host: "db1",
    processId: 1,
    fromStandby: true,
    startedAt: startedAt.toISOString(),
    deadline: new Date(Date.now() + 86_400_000).toISOString(),
    references: [],
    ...claimant,
  };
}

test("a store that says nothing does not keep a run that has failed from ending, and its claim is told as left", async () => {
  const store = createMemoryStore();
  const claimed = await claim(store, "2025-01-05");
  const told: unknown[] = [];
  const given: (AbortSignal | undefined)[] = [];
  const silent: ObjectStore = {
    ...store,
    get: (key, options) => (given.push(options?.signal), store.get(key, options)),
    remove: (_keys, options) => {
      given.push(options?.signal);
      return Promise.reject(new SoarError("ABORTED", "the call was aborted"));
    },
  };
  await withdrawClaim(silent, claimed, { host: "db1", onEvent: (event) => told.push(event) });
  expect(told).toEqual([{ type: "interrupted-left", label: "2025-01-05", reason: "the call was aborted" }]);
  expect(given.length).toBeGreaterThan(1);
  expect(given.every((signal) => signal !== undefined)).toBe(true);
});

test("a run that follows an interrupted one within the same second is named by the next", async () => {
  const store = createMemoryStore();
  const begin = performance.now();
  const moving = () => new Date(Date.parse("2025-01-05T02:00:00.900Z") + performance.now() - begin);
  await claim(store, "2025-01-05", { holdsLock: true });
  const first = await findStarted(store, "2025-01-05");
  if (first === undefined) throw new Error("the first run has claimed nothing");
  await claimLabel(store, { ...first, label: "2025-01-05T020000Z" });
  const { label } = await claim(store, "", { label: undefined, now: moving, holdsLock: true });
  expect(label).toMatch(/^2025-01-05T02000[1-9]Z$/);
});

test("what looks interrupted stays while a backup refers to it, or one with a damaged record may", async () => {
  const store = createMemoryStore();
  const told: unknown[] = [];
  const next = async (label: string): Promise<unknown[]> => {
    told.length = 0;
    await claim(store, label, { holdsLock: true, onEvent: (event) => told.push(event) });
    return told;
  };
  // As a backup is whose backup.json was lost.
  await claim(store, "2025-01-01", { holdsLock: true });
  await putBackupRecord(store, sampleRecord({ label: "2025-01-02", references: ["2025-01-01"] }));
  const left = { type: "interrupted-left", label: "2025-01-01" };
  expect(await next("2025-01-03")).toContainEqual({ ...left, reason: "backup 2025-01-02 refers to it" });
  await store.remove(["base/2025-01-02/backup.json", "base/2025-01-03/started.json"]);
  await store.put("base/2025-01-02/backup.json", Buffer.from("{"));
  expect(await next("2025-01-04")).toContainEqual({
    ...left,
    reason: "backup 2025-01-02, whose record is damaged, may refer to it",
  });
  await store.remove(["base/2025-01-02/backup.json", "base/2025-01-04/started.json"]);
  expect(await next("2025-01-05")).toContainEqual({ type: "interrupted-removed", label: "2025-01-01" });
});
