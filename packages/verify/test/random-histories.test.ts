import { formatLsn, formatWalSegment, lsnOfSegmentIndex, parseLsn } from "@soar/pg-tools";
import {
  archiveObjects,
  BACKUP_OBJECTS,
  backupKey,
  claimRepository,
  listBackupRecords,
  type BackupRecord,
} from "@soar/repository";
import { executeExpiry, planExpiry, readExpiryState } from "@soar/repository/expiry";
import { listExpiredWal, listGaps, putGap, putKeep } from "@soar/repository/markers";
import { readRecoveryWindow } from "@soar/repository/window";
import { planRestore } from "@soar/restore/plan";
import { createMemoryStore, readObject, type ObjectStore } from "@soar/storage";
import {
  archiveSample,
  putSampleBackup,
  sampleSegment,
  SEGMENT_SIZE,
  SYSTEM_IDENTIFIER,
} from "@soar-tooling/sample-repository";
import { createVerifyPool, verifyRepository, type VerifyPool } from "@soar/verify";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";

/** More of them by hand: SOAR_RANDOM_HISTORIES=500 vitest run packages/verify/test/random-histories.test.ts */
const RUNS = Number(process.env["SOAR_RANDOM_HISTORIES"] ?? 8);
const DAY_MS = 86_400_000;
const BEGIN = Date.parse("2025-01-01T03:00:00Z");

type Step =
  | { readonly do: "archive"; readonly count: number }
  | { readonly do: "backup"; readonly incremental: boolean }
  | { readonly do: "pin"; readonly which: number }
  | { readonly do: "give-up"; readonly count: number }
  | { readonly do: "promote"; readonly page: number }
  | { readonly do: "expire"; readonly days: number; readonly minimum: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("archive" as const), count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("backup" as const), incremental: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("pin" as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("give-up" as const), count: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("promote" as const), page: fc.integer({ min: 1, max: 126 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("expire" as const),
      days: fc.integer({ min: 1, max: 8 }),
      minimum: fc.integer({ min: 1, max: 3 }),
    }),
  },
);

/** A cluster's life, a day to each step, as the bucket sees it. */
class Life {
  now = new Date(BEGIN);
  readonly store: ObjectStore = createMemoryStore({ now: () => this.now });
  lastArchived: string | undefined;
  #timeline = 1;
  #history = "";
  /** The next segment to be archived. */
  #next = 2;
  /** Nothing behind a gap can be restored until a backup was taken, and what is told of it is no damage. */
  #owesBackup = false;

  async begin(): Promise<void> {
    const identity = { systemIdentifier: SYSTEM_IDENTIFIER, postgresMajor: 15, walSegmentSize: SEGMENT_SIZE };
    await claimRepository(this.store, identity, { toolVersion: "test", now: this.now });
    await this.backup(false);
  }

  async take(one: Step): Promise<void> {
    this.now = new Date(this.now.getTime() + DAY_MS);
    if (one.do === "archive") await this.archive(one.count);
    if (one.do === "backup") await this.backup(one.incremental);
    if (one.do === "pin") await this.#pin(one.which);
    if (one.do === "give-up") await this.#giveUp(one.count);
    if (one.do === "promote") await this.#promote(one.page);
    if (one.do === "expire") await this.#expire(one.days, one.minimum);
    if (this.#owesBackup) await this.backup(false);
  }

  async archive(count: number): Promise<void> {
    for (let left = count; left > 0; left -= 1, this.#next += 1) {
      this.lastArchived = this.#name(this.#next);
      await archiveSample(this.store, this.lastArchived, sampleSegment(this.#next, { timeline: this.#timeline }));
    }
  }

  async backup(incremental: boolean): Promise<void> {
    const records = await listBackupRecords(this.store);
    const base = incremental ? records.findLast(({ timeline }) => timeline === this.#timeline) : undefined;
    const label = this.now.toISOString().slice(0, 10);
    if (records.some((record) => record.label === label)) return;
    const first = this.#next;
    await this.archive(2);
    const stoppedAt = this.now.toISOString();
    await putSampleBackup(this.store, {
      label,
      first,
      timeline: this.#timeline,
      state: first,
      ...(base === undefined ? {} : { base }),
      change: (record) => ({
        ...record,
        // Chunks of what the base itself refers to lie in the objects of earlier ones.
        references: [...record.references, ...(base?.references ?? [])],
        timeline: this.#timeline,
        startedAt: stoppedAt,
        stoppedAt,
      }),
    });
    this.#owesBackup = false;
  }

  async #pin(which: number): Promise<void> {
    const records = await listBackupRecords(this.store);
    const { label } = records[which % records.length] ?? { label: "" };
    const isPinned = (await this.store.stat(backupKey(label, BACKUP_OBJECTS.keep))) !== undefined;
    if (!isPinned) await putKeep(this.store, label, { format: 1, reason: "audit", keptAt: this.now.toISOString() });
  }

  async #giveUp(count: number): Promise<void> {
    const [from, to] = [this.#name(this.#next), this.#name(this.#next + count - 1)];
    await putGap(this.store, { format: 1, from, to, declaredBy: "x", declaredAt: this.now.toISOString(), reason: "y" });
    this.#next += count;
    this.#owesBackup = true;
  }

  /** The server is lost within the segment that it writes, and its successor goes on from a page of it. */
  async #promote(page: number): Promise<void> {
    const index = this.#next;
    const switchLsn = formatLsn(lsnOfSegmentIndex(index, SEGMENT_SIZE) + BigInt(page * 8192));
    this.#history += `${this.#timeline}\t${switchLsn}\tno recovery target specified\n`;
    const parent = this.#timeline;
    this.#timeline += 1;
    const name = `${this.#timeline.toString(16).toUpperCase().padStart(8, "0")}.history`;
    await archiveSample(this.store, name, Buffer.from(this.#history));
    await archiveSample(this.store, this.#name(index), sampleSegment(index, { timeline: parent }));
    this.#next += 1;
    await this.archive(1);
  }

  async #expire(windowDays: number, minimumBackups: number): Promise<void> {
    const policy = { windowDays, minimumBackups };
    const state = await readExpiryState(this.store, { now: this.now });
    await executeExpiry(this.store, { state, policy, plan: planExpiry(state, policy) });
  }

  #name(index: number): string {
    return formatWalSegment({ timeline: this.#timeline, index }, SEGMENT_SIZE);
  }
}

let pool: VerifyPool;
beforeAll(() => {
  pool = createVerifyPool(1);
});
afterAll(() => pool.close());

/** What is wrong in the bucket; warnings about what two timelines share are no damage. */
async function errorsOf({ store, now, lastArchived }: Life): Promise<string[]> {
  const limits = { backupWarningMs: Infinity, backupErrorMs: Infinity, archiveWarningMs: undefined };
  // That the newest segment is gone nothing in the bucket could tell.
  const askServer = () => Promise.resolve({ lastArchived });
  const options = { depth: { level: "quick" }, jobs: 1, host: "h", now: () => now, pool, limits, askServer } as const;
  const { findings } = await verifyRepository(store, options);
  return findings
    .filter(({ severity }) => severity === "error")
    .map(({ kind, where, what }) => `${kind} ${where} ${what}`);
}

/**
 * Everything that the plans of the ends and of the middle of each promised range name, and pinned backups; the histories; and what tells
 * that a hole is none of what was lost.
 */
async function neededObjects(store: ObjectStore): Promise<Set<string>> {
  const needed = new Set<string>();
  const records = await listBackupRecords(store);
  const addBackup = (backup: BackupRecord): void => {
    const referred = records.filter(({ label }) => backup.references.includes(label));
    for (const { name } of backup.objects) needed.add(backupKey(backup.label, name));
    for (const each of referred) for (const name of archiveObjects(each)) needed.add(backupKey(each.label, name));
  };
  for (const record of records)
    if ((await store.stat(backupKey(record.label, BACKUP_OBJECTS.keep))) !== undefined) addBackup(record);
  const { timelines } = await readRecoveryWindow(store, SEGMENT_SIZE);
  const expired = await listExpiredWal(store);
  const isExpired = (from: string, to: string): boolean =>
    expired.some(({ ranges }) => ranges.some((range) => range.from <= to && range.to >= from));
  for (const { timeline, ranges } of timelines) {
    for (const { fromLsn, toLsn, hole } of ranges) {
      // Of two reasons for one hole neither is needed.
      for (const gap of await listGaps(store))
        if (hole !== undefined && gap.from <= hole.to && gap.to >= hole.from && !isExpired(gap.from, gap.to))
          needed.add(`config/gaps/${gap.from}-${gap.to}.json`);
      const [only, ...others] = expired;
      if (hole?.expired === true && only !== undefined && others.length === 0)
        needed.add(`config/expired/${only.id}.json`);
      const [from, to] = [parseLsn(fromLsn), parseLsn(toLsn)];
      for (const lsn of [from, from + (to - from) / 2n, to - 8192n]) {
        if (lsn < from || lsn >= to) continue;
        const target = { kind: "lsn", lsn, inclusive: true } as const;
        const { backup, chain, resolved } = await planRestore(store, { target, timeline });
        addBackup(backup);
        for (const { index, object } of chain.segments)
          if (lsnOfSegmentIndex(index, SEGMENT_SIZE) < resolved.stopLsn) needed.add(object.key);
      }
      if (hole === undefined && timeline === timelines[0]?.timeline)
        addBackup((await planRestore(store, { target: { kind: "latest" } })).backup);
    }
  }
  for await (const { key } of store.list("wal/")) if (key.includes(".history")) needed.add(key);
  return needed;
}

/** Which kinds of objects there are, so that each is tried: most of all are WAL and archives. */
function kindOf(key: string): string {
  return key.includes(".history") ? "history" : (/^(?:config\/)?[a-z]+/.exec(key)?.[0] ?? "");
}

/** Two of each kind. */
function sampleOf(needed: readonly string[], seed: number): string[] {
  const kinds = [...Map.groupBy(needed, kindOf).values()];
  return kinds.flatMap((keys) => [...new Set([seed, seed + 7919].map((at) => keys[at % keys.length] ?? ""))]);
}

test(
  "after every step of any history verify is green, all that is promised plans, and any needed object that goes is missed",
  { timeout: 600_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), fc.nat(), async (steps, seed) => {
        const life = new Life();
        await life.begin();
        for (const one of steps) {
          await life.take(one);
          expect(await errorsOf(life), `after ${JSON.stringify(one)}`).toEqual([]);
        }
        const needed = [...(await neededObjects(life.store))].sort();
        expect(needed.length).toBeGreaterThan(0);
        for (const key of sampleOf(needed, seed)) {
          const bytes = await readObject(life.store, key);
          await life.store.remove([key]);
          expect(await errorsOf(life), `without ${key}`).not.toEqual([]);
          await life.store.put(key, bytes);
        }
      }),
      { numRuns: RUNS },
    );
  },
);
