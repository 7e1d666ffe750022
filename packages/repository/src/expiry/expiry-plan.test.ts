import {
  formatLsn,
  formatWalSegment,
  lsnOfSegmentIndex,
  timelineOfSegment,
  type TimelineHistory,
} from "@soar/pg-tools";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SoarError } from "@soar/errors";
import type { BackupDirectory } from "../records/backup-directories.ts";
import type { BackupRecord } from "../records/backup-record.ts";
import { planExpiry } from "./expiry-plan.ts";
import type { ExpiryState } from "./expiry-state.ts";
import type { StartedRecord } from "../markers/marker-records.ts";

const SIZE = 16 * 1024 * 1024;
const DAY = 86_400_000;
const START = Date.parse("2025-01-01T00:00:00Z");
const at = (day: number) => new Date(START + day * DAY);
const segment = (timeline: number, index: number) => formatWalSegment({ timeline, index }, SIZE);

interface BackupFacts {
  readonly label: string;
  readonly day: number;
  readonly timeline: number;
  readonly index: number;
  readonly references?: readonly string[];
  readonly kept?: boolean;
}

function directory({ label, day, timeline, index, references = [], kept = false }: BackupFacts): BackupDirectory {
  const record = {
    label,
    references: [...references],
    timeline,
    walSegmentSize: SIZE,
    firstSegment: segment(timeline, index),
    lastSegment: segment(timeline, index),
    startLsn: formatLsn(lsnOfSegmentIndex(index, SIZE) + 40n),
    stopLsn: formatLsn(lsnOfSegmentIndex(index, SIZE) + 400n),
    stoppedAt: at(day).toISOString(),
    damagedPages: [],
  } as unknown as BackupRecord;
  return {
    label,
    record,
    damage: undefined,
    objects: new Map(),
    kept,
    recordedAt: at(day),
    endedAt: at(day),
  };
}

const wal = (timeline: number, indexes: readonly number[]) =>
  indexes.map((index) => ({ key: `wal/${segment(timeline, index)}.zst`, name: segment(timeline, index), size: 1 }));
const first: TimelineHistory = { timeline: 1, entries: [] };
const policy = { windowDays: 30, minimumBackups: 4 };

const timeAt = (now: Date) => ({ now, clock: now, doubts: [] });

function state(overrides: Partial<ExpiryState>): ExpiryState {
  return {
    time: timeAt(at(100)),
    segmentSize: SIZE,
    backups: [],
    started: new Map(),
    leases: [],
    timelines: [{ history: first, lastArchivedAt: at(100) }],
    wal: [],
    ...overrides,
  };
}

const labels = (plan: { keep: readonly { label: string }[] }) => plan.keep.map(({ label }) => label);

describe("expiry", () => {
  test("keeps the window, its anchor and the WAL from the anchor on", () => {
    const backups = [60, 65, 72, 79, 86, 93].map((day) =>
      directory({ label: `d${day}`, day, timeline: 1, index: day }),
    );
    const plan = planExpiry(
      state({
        backups,
        wal: wal(
          1,
          Array.from({ length: 41 }, (_, index) => 60 + index),
        ),
      }),
      policy,
    );
    expect(labels(plan)).toEqual(["d65", "d72", "d79", "d86", "d93"]);
    expect(plan.removeBackups.map(({ label }) => label)).toEqual(["d60"]);
    expect(plan.removeWal.map(({ key }) => key)).toEqual(wal(1, [60, 61, 62, 63, 64]).map(({ key }) => key));
  });

  test("keeps the minimum number of backups when no recent one exists, and never the last one goes", () => {
    const backups = [10, 20].map((day) => directory({ label: `d${day}`, day, timeline: 1, index: day }));
    expect(planExpiry(state({ backups }), policy).removeBackups).toEqual([]);
    expect(
      planExpiry(state({ backups }), { windowDays: 1, minimumBackups: 0 }).removeBackups.map(({ label }) => label),
    ).toEqual(["d10"]);
  });

  test("keeps the newest state of a cluster that has stopped archiving, however long ago", () => {
    const backups = [44, 51, 58, 65].map((day) => directory({ label: `d${day}`, day, timeline: 1, index: day }));
    const stopped = {
      backups,
      timelines: [{ history: first, lastArchivedAt: at(70) }],
      wal: wal(1, [58, 64, 65, 66, 70]),
    };
    for (const now of [at(99), at(101), at(500)]) {
      const plan = planExpiry(state({ ...stopped, time: timeAt(now) }), policy);
      expect(labels(plan)).toEqual(["d44", "d51", "d58", "d65"]);
      expect(plan.removeWal.map(({ name }) => name)).not.toContain(segment(1, 65));
      expect(plan.removeWal.map(({ name }) => name)).not.toContain(segment(1, 70));
    }
    // An abandoned branch that nothing was written to since goes, while the newest one stays.
    const second: TimelineHistory = {
      timeline: 2,
      entries: [{ timeline: 1, switchLsn: lsnOfSegmentIndex(68, SIZE) + 8n, reason: "" }],
    };
    const branched = planExpiry(
      state({
        ...stopped,
        time: timeAt(at(500)),
        timelines: [...stopped.timelines, { history: second, lastArchivedAt: at(72) }],
        wal: [...wal(1, [65, 66, 67, 69]), ...wal(2, [68, 69])],
      }),
      policy,
    );
    expect(branched.removeWal.map(({ name }) => name)).toEqual([segment(1, 69)]);
  });

  test("keeps a pinned backup with only the WAL that makes it consistent", () => {
    const backups = [
      directory({ label: "pin", day: 1, timeline: 1, index: 1, kept: true }),
      ...[60, 72, 79, 86, 93].map((day) => directory({ label: `d${day}`, day, timeline: 1, index: day })),
    ];
    const plan = planExpiry(state({ backups, wal: wal(1, [1, 2, 3, 59, 60, 61]) }), policy);
    expect(labels(plan)).toContain("pin");
    expect(plan.removeWal.map(({ name }) => name)).toEqual([segment(1, 2), segment(1, 3), segment(1, 59)]);
  });

  test("keeps what a kept incremental refers to, through any number of steps", () => {
    const backups = [
      directory({ label: "full", day: 1, timeline: 1, index: 1 }),
      directory({ label: "inc1", day: 2, timeline: 1, index: 2, references: ["full"] }),
      directory({ label: "other", day: 3, timeline: 1, index: 3 }),
      ...[60, 72, 79, 86].map((day) => directory({ label: `d${day}`, day, timeline: 1, index: day })),
      directory({ label: "inc2", day: 99, timeline: 1, index: 99, references: ["inc1"] }),
    ];
    const plan = planExpiry(state({ backups }), policy);
    expect(plan.removeBackups.map(({ label }) => label)).toEqual(["other"]);
  });

  test("names every reason to keep a backup once, also where what refers to it is kept itself", () => {
    const backups = [
      ...[60, 72, 79, 86].map((day) => directory({ label: `d${day}`, day, timeline: 1, index: day })),
      directory({ label: "full", day: 98, timeline: 1, index: 98 }),
      directory({ label: "inc", day: 99, timeline: 1, index: 99, references: ["full"] }),
    ];
    expect(planExpiry(state({ backups }), policy).keep.find(({ label }) => label === "full")?.reasons).toEqual([
      "within the window",
      "one of the 4 newest",
      "referred to by inc",
    ]);
  });

  test("is not disturbed by a lease on a backup that is gone", () => {
    const backups = [60, 72, 79, 86].map((day) => directory({ label: `d${day}`, day, timeline: 1, index: day }));
    const lease = {
      format: 1 as const,
      id: "a",
      purpose: "verify" as const,
      host: "h",
      labels: ["gone"],
      startedAt: at(99).toISOString(),
      expiresAt: at(101).toISOString(),
    };
    expect(labels(planExpiry(state({ backups, leases: [lease] }), policy))).toEqual(["d60", "d72", "d79", "d86"]);
  });

  test("takes a branch for one that is written to when the bucket does not tell when it was", () => {
    const backups = [60, 72, 79, 86].map((day) => directory({ label: `d${day}`, day, timeline: 1, index: day }));
    const unknown = { history: { timeline: 2, entries: [] }, lastArchivedAt: undefined };
    const timelines = [{ history: first, lastArchivedAt: at(100) }, unknown];
    const objects = wal(2, [1, 2]);
    expect(planExpiry(state({ backups, timelines, wal: objects }), policy).removeWal).toEqual([]);
    expect(planExpiry(state({ backups, wal: objects }), policy).removeWal).toEqual(objects);
  });

  test("leaves alone what a lease or a running backup uses until it lapses", () => {
    const backups = [1, 2, 3, 60, 72, 79, 86].map((day) =>
      directory({ label: `d${day}`, day, timeline: 1, index: day }),
    );
    const lease = {
      format: 1 as const,
      id: "a",
      purpose: "restore" as const,
      host: "h",
      labels: ["d1"],
      walFrom: segment(1, 1),
      walTo: segment(1, 5),
      startedAt: at(99).toISOString(),
      expiresAt: at(101).toISOString(),
    };
    const running: StartedRecord = {
      format: 1,
      label: "d100",
      host: "h",
      processId: 1,
      startedAt: at(100).toISOString(),
      deadline: at(101).toISOString(),
      references: ["d2"],
    };
    const started = new Map([["d100", running]]);
    const unfinished: BackupDirectory = {
      label: "d100",
      record: undefined,
      damage: undefined,
      recordedAt: undefined,
      endedAt: undefined,
      objects: new Map(),
      kept: false,
    };
    const now = planExpiry(
      state({ backups: [...backups, unfinished], leases: [lease], started, wal: wal(1, [1, 5, 6]) }),
      policy,
    );
    expect(now.removeBackups.map(({ label }) => label)).toEqual(["d3"]);
    expect(now.removeWal.map(({ name }) => name)).toEqual([segment(1, 6)]);
    const later = planExpiry(
      state({ time: timeAt(at(102)), backups: [...backups, unfinished], leases: [lease], started }),
      policy,
    );
    expect(later.removeBackups.map(({ label }) => label)).toEqual(["d3", "d2", "d1", "d100"]);
  });

  test("what a backup refers to stays also where its own record is lost, until nothing refers to it", () => {
    const lost = {
      ...directory({ label: "d60", day: 60, timeline: 1, index: 60 }),
      record: undefined,
      endedAt: undefined,
    };
    const began: StartedRecord = {
      format: 1,
      label: "d60",
      host: "h",
      processId: 1,
      startedAt: at(60).toISOString(),
      deadline: at(61).toISOString(),
      references: [],
    };
    const incremental = (references: readonly string[]): BackupDirectory =>
      directory({ label: "d90", day: 90, timeline: 1, index: 90, references });
    const started = new Map([["d60", began]]);
    const removed = (references: readonly string[]): string[] =>
      planExpiry(state({ backups: [lost, incremental(references)], started }), policy).removeBackups.map(
        ({ label }) => label,
      );
    expect(removed(["d60"])).toEqual([]);
    expect(removed([])).toEqual(["d60"]);
  });

  test("a record that cannot be read stops everything, and the way out is named with who needs what it is of", () => {
    const damage = new SoarError("REPOSITORY_DAMAGED", "unable to read 'base/d60/backup.json': it is not JSON");
    const broken = { ...directory({ label: "d60", day: 60, timeline: 1, index: 60 }), record: undefined, damage };
    const hintWith = (references: readonly string[]): string | undefined => {
      const backups = [broken, directory({ label: "d90", day: 90, timeline: 1, index: 90, references })];
      try {
        planExpiry(state({ backups }), policy);
        return undefined;
      } catch (error) {
        expect(error).toMatchObject({ code: "REPOSITORY_DAMAGED", message: damage.message });
        return (error as SoarError).hint;
      }
    };
    expect(hintWith([])).toMatch(
      /remove the one object base\/d60\/backup\.json.*No other backup is known to refer to it/,
    );
    expect(hintWith(["d60"])).toContain("d90 refer to it: its objects stay until these have expired.");
  });

  test("a whole record that had no room beside damaged ones is not named as one that may be removed", () => {
    const unread = (label: string, day: number, isCrowdedOut: boolean): BackupDirectory => ({
      ...directory({ label, day, timeline: 1, index: day }),
      record: undefined,
      damage: new SoarError("REPOSITORY_DAMAGED", `unable to read '${label}'`),
      isCrowdedOut,
    });
    const whole = unread("d60", 60, true);
    expect(() => planExpiry(state({ backups: [whole, unread("d90", 90, false)] }), policy)).toThrow(
      expect.objectContaining({
        message: "unable to read 'd90'",
        hint: expect.stringMatching(/remove the one object base\/d90\/backup\.json/) as string,
      }) as Error,
    );
    expect(() => planExpiry(state({ backups: [whole] }), policy)).toThrow(
      expect.objectContaining({
        message: "unable to read 'd60'",
        hint: expect.stringMatching(/^(?!.*remove the one object).*Its record is whole: leave it/) as string,
      }) as Error,
    );
  });

  test("the anchor is the newest backup without damaged pages, if there is one", () => {
    const backups = [50, 60, 65, 72, 79, 86, 93].map((day) =>
      directory({ label: `d${day}`, day, timeline: 1, index: day }),
    );
    const spoil =
      (label: string) =>
      (backup: BackupDirectory): BackupDirectory =>
        backup.label === label && backup.record !== undefined
          ? { ...backup, record: { ...backup.record, damagedPages: [{ path: "base/1/2", detail: "block 3" }] } }
          : backup;
    const plan = planExpiry(state({ backups: backups.map(spoil("d65")), wal: wal(1, [59, 60, 61]) }), policy);
    expect(plan.removeBackups.map(({ label }) => label)).toEqual(["d65", "d50"]);
    expect(plan.removeWal.map(({ name }) => name)).toEqual([segment(1, 59)]);
    const all = backups.map((backup) => spoil(backup.label)(backup));
    expect(planExpiry(state({ backups: all }), policy).removeBackups.map(({ label }) => label)).toEqual(["d60", "d50"]);
  });

  test("never removes history files, and no WAL at all while there is no backup", () => {
    const history = { key: "wal/00000002.history", name: "00000002.history", size: 1 };
    expect(planExpiry(state({ wal: [history, ...wal(1, [1])] }), policy).removeWal).toEqual([]);
    const backups = [directory({ label: "d99", day: 99, timeline: 1, index: 50 })];
    expect(
      planExpiry(state({ backups, wal: [history, ...wal(1, [1])] }), policy).removeWal.map(({ name }) => name),
    ).toEqual([segment(1, 1)]);
  });

  test("removes nothing while a record cannot be read", () => {
    const damage = new SoarError("REPOSITORY_DAMAGED", "backup.json is damaged");
    const broken: BackupDirectory = {
      label: "x",
      record: undefined,
      damage,
      objects: new Map(),
      kept: false,
      recordedAt: undefined,
      endedAt: undefined,
    };
    expect(() => planExpiry(state({ backups: [broken] }), policy)).toThrow(damage.message);
  });
});

/** A cluster's life: it archives, is backed up, is idle, and is sometimes restored to an earlier point, which begins a timeline. */
type Step =
  | { readonly kind: "archive" | "idle"; readonly days: number }
  | { readonly kind: "backup" }
  | { readonly kind: "restore"; readonly back: number };

interface Life {
  readonly state: ExpiryState;
  /** What the cluster was at each moment: it must be restorable while the moment is in the window. */
  readonly instants: readonly { readonly day: number; readonly history: TimelineHistory; readonly index: number }[];
}

function live(steps: readonly Step[]): Life {
  const backups: BackupDirectory[] = [];
  const histories: { history: TimelineHistory; lastArchivedAt: Date }[] = [{ history: first, lastArchivedAt: at(0) }];
  const objects: ExpiryState["wal"][number][] = [];
  const instants: Life["instants"][number][] = [];
  let [day, index, history] = [0, 1, first];
  const archive = (): void => {
    objects.push(...wal(history.timeline, [index]));
    const current = histories.find((candidate) => candidate.history === history);
    if (current !== undefined) current.lastArchivedAt = at(day);
    instants.push({ day, history, index });
    index += 1;
    day += 1;
  };
  archive();
  for (const step of steps) {
    if (step.kind === "archive") for (let count = 0; count < step.days; count += 1) archive();
    else if (step.kind === "idle") day += step.days;
    else if (step.kind === "backup") {
      backups.push(directory({ label: `b${backups.length}`, day, timeline: history.timeline, index }));
      archive();
    } else if (step.kind === "restore" && backups.length > 0 && index - step.back > 1) {
      index -= step.back;
      const timeline = histories.length + 1;
      const entries = [
        ...history.entries.filter((entry) => entry.switchLsn < lsnOfSegmentIndex(index, SIZE)),
        {
          timeline: timelineOfSegment(history, index, SIZE),
          switchLsn: lsnOfSegmentIndex(index, SIZE) + 8n,
          reason: "",
        },
      ];
      history = {
        timeline,
        entries: entries.filter(
          (entry, position) => entries.findIndex(({ timeline: other }) => other === entry.timeline) === position,
        ),
      };
      histories.push({ history, lastArchivedAt: at(day) });
      archive();
    }
  }
  return { state: state({ time: timeAt(at(day)), backups, timelines: histories, wal: objects }), instants };
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("archive" as const), days: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ kind: fc.constant("idle" as const), days: fc.integer({ min: 1, max: 60 }) }),
    fc.record({ kind: fc.constant("backup" as const) }),
    fc.record({ kind: fc.constant("restore" as const), back: fc.integer({ min: 1, max: 15 }) }),
  ),
  { minLength: 3, maxLength: 30 },
);

test("whatever happened, after an expiry the newest state and every instant of the window that could be restored before still can", () => {
  let [checked, removed] = [0, 0];
  fc.assert(
    fc.property(
      steps,
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 5 }),
      (life, windowDays, minimumBackups) => {
        const { state: before, instants } = live(life);
        const plan = planExpiry(before, { windowDays, minimumBackups });
        const goneBackups = new Set(plan.removeBackups.map(({ label }) => label));
        const goneWal = new Set(plan.removeWal.map(({ key }) => key));
        removed += goneBackups.size + goneWal.size;
        const after: ExpiryState = {
          ...before,
          backups: before.backups.filter(({ label }) => !goneBackups.has(label)),
          wal: before.wal.filter(({ key }) => !goneWal.has(key)),
        };
        const windowStart = before.time.now.getTime() - windowDays * DAY;
        for (const instant of instants) {
          const isPromised = instant === instants.at(-1) || at(instant.day).getTime() >= windowStart;
          if (!isPromised || !isRestorable(before, instant)) continue;
          expect(isRestorable(after, instant), `day ${instant.day} on timeline ${instant.history.timeline}`).toBe(true);
          checked += 1;
        }
        if (before.backups.length > 0) expect(after.backups.length).toBeGreaterThan(0);
      },
    ),
    { numRuns: 1000 },
  );
  // A generator that made nothing to check, or nothing to remove, would prove nothing.
  expect(checked).toBeGreaterThan(1000);
  expect(removed).toBeGreaterThan(1000);
});

/** Some backup at or before the instant lies on its lineage, with every segment from there to the instant. */
function isRestorable({ backups, wal: objects }: ExpiryState, { history, index }: Life["instants"][number]): boolean {
  const names = new Set(objects.map(({ name }) => name));
  return backups.some(({ record }) => {
    if (record === undefined) return false;
    const from = Number(
      BigInt(`0x${record.firstSegment.slice(8, 16)}`) * 256n + BigInt(`0x${record.firstSegment.slice(16)}`),
    );
    if (from > index || timelineOfSegment(history, from, SIZE) !== record.timeline) return false;
    for (let each = from; each <= index; each += 1)
      if (!names.has(segment(timelineOfSegment(history, each, SIZE), each))) return false;
    return true;
  });
}
