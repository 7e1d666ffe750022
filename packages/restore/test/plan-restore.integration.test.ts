import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatWalSegment, lsnOfSegmentIndex, parseLsn, segmentIndexOfLsn } from "@soar/pg-tools";
import { findWalObjects, putWalFile, readRecoveryWindow, readWalFile, sha256Hex, walKey } from "@soar/repository";
import { planRestore, type PlanOptions, type RestoreTarget } from "@soar/restore/plan";
import { reportReplay } from "../src/recover/replay-progress.ts";
import { readObject, type ObjectStore } from "@soar/storage";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  copyStore,
  createPlanningWorld,
  putBackup,
  SEGMENT_SIZE,
  type Commit,
  type PlanningWorld,
} from "./planning-world.ts";

let world: PlanningWorld;
/** What was archived before anything branched off, with the backups `quiet` and `busy`. */
let first: ObjectStore;

beforeAll(async () => {
  world = await createPlanningWorld();
  first = await copyStore(
    world.store,
    (key) => (!key.startsWith("wal/") && !key.startsWith("base/2025-01-07/")) || world.beforeSwitch.has(key),
  );
});

function commit(name: string): Commit {
  const found = world.commits[name];
  if (found === undefined) throw new Error(`no commit ${name}`);
  return found;
}

const at = (time: bigint, inclusive = true): RestoreTarget => ({ kind: "time", time, inclusive });
const plan = (store: ObjectStore, target: RestoreTarget, more: Partial<PlanOptions> = {}) =>
  planRestore(store, { target, ...more });
const segmentOf = (index: number, timeline = 1) => formatWalSegment({ timeline, index }, SEGMENT_SIZE);
const without = (store: ObjectStore, ...names: string[]) =>
  copyStore(store, (key) => !names.some((name) => key === walKey(name, "zstd") || key === name));

/** The commits just before and just behind the place where recovery stops. */
async function around(
  target: RestoreTarget,
  store = first,
): Promise<{ label: string; last: bigint | undefined; next: bigint | undefined }> {
  const { backup, resolved } = await plan(store, target);
  return { label: backup.label, last: resolved.lastReplayed?.time, next: resolved.firstLeftOut?.time };
}

describe("latest", () => {
  test("begins with the newest backup and ends where the WAL in the bucket ends", async () => {
    const { backup, resolved, chain, warnings, passedOver } = await plan(first, { kind: "latest" });
    expect(backup.label).toBe("2025-01-06");
    expect(chain.history.timeline).toBe(1);
    expect(resolved.lastReplayed?.time).toBe(commit("three").time);
    expect(resolved.stopLsn).toBe(lsnOfSegmentIndex(chain.endIndex, SEGMENT_SIZE));
    expect({ warnings, passedOver }).toEqual({ warnings: [], passedOver: [] });
  });

  test("is refused at a hole, which is named; never ends in front of it in silence", async () => {
    const hole = segmentOf(commit("during").index);
    for (const backup of [undefined, "2025-01-05"]) {
      await expect(plan(await without(first, hole), { kind: "latest" }, { backup })).rejects.toMatchObject({
        code: "WAL_MISSING",
        message: expect.stringContaining(`'${hole}'`),
      });
    }
  });

  test("ends at the abandoned branch's last commit only when that timeline is asked for", async () => {
    const newest = await plan(world.store, { kind: "latest" });
    expect(newest.chain.history.timeline).toBe(2);
    expect(newest.resolved.lastReplayed?.time).toBe(commit("grown").time);
    const old = await plan(world.store, { kind: "latest" }, { timeline: 1 });
    expect(old.resolved.lastReplayed?.time).toBe(commit("abandonedLater").time);
  });
});

describe("a time", () => {
  test("at exactly a commit takes it, and exclusively does not", async () => {
    expect(await around(at(commit("one").time))).toMatchObject({
      label: "2025-01-05",
      last: commit("one").time,
      next: commit("two").time,
    });
    expect(await around(at(commit("one").time, false))).toMatchObject({
      label: "2025-01-05",
      next: commit("one").time,
    });
    expect(await around(at(commit("three").time, false))).toMatchObject({
      label: "2025-01-06",
      next: commit("three").time,
    });
  });

  test("a microsecond around a commit is told apart", async () => {
    expect((await around(at(commit("two").time - 1n))).next).toBe(commit("two").time);
    expect((await around(at(commit("two").time - 1n, false))).next).toBe(commit("two").time);
    expect((await around(at(commit("one").time + 1n, false))).next).toBe(commit("two").time);
  });

  test("before a backup's end is no target for it, with or without commits while it ran", async () => {
    // `during` lies inside of the busy backup: only the older one can stop in front of it.
    const inside = await plan(first, at(commit("during").time, false));
    expect(inside.backup.label).toBe("2025-01-05");
    expect(inside.passedOver).toEqual([
      { label: "2025-01-06", reason: expect.stringContaining("lies before the end of backup '2025-01-06'") },
    ]);
    await expect(plan(first, at(commit("during").time, false), { backup: "2025-01-06" })).rejects.toMatchObject({
      code: "TARGET_BEFORE_BACKUP",
    });
  });

  test("before the first backup is refused although no commit lies between its start and its end", async () => {
    // PostgreSQL would stop at the first commit after the backup and promote, with all that came before it (safety, trap 32).
    await expect(plan(first, at(commit("before").time - 1n))).rejects.toMatchObject({
      code: "TARGET_BEFORE_BACKUP",
      message: expect.stringContaining("lies before the end of backup '2025-01-05'"),
    });
    await expect(
      plan(first, at(commit("before").time - 86_400_000_000n), { backup: "2025-01-05" }),
    ).rejects.toMatchObject({ code: "TARGET_BEFORE_BACKUP" });
  });

  test("between a quiet newer backup and the commits before it goes back to the older backup", async () => {
    expect(await around(at(commit("three").time), world.store)).toMatchObject({
      label: "2025-01-06",
      next: commit("four").time,
    });
    await expect(plan(world.store, at(commit("three").time), { backup: "2025-01-07" })).rejects.toMatchObject({
      code: "TARGET_BEFORE_BACKUP",
    });
    expect((await around(at(commit("four").time - 1n), world.store)).label).toBe("2025-01-07");
  });

  test("after the archive's last commit is refused, and where the archive ends is told", async () => {
    await expect(plan(first, at(commit("three").time))).rejects.toMatchObject({
      code: "TARGET_AFTER_ARCHIVE",
      message: expect.stringContaining("the WAL in the bucket ends at 0/"),
      hint: expect.stringContaining("--latest"),
    });
    await expect(plan(first, at(commit("four").time))).rejects.toMatchObject({ code: "TARGET_AFTER_ARCHIVE" });
    await expect(plan(world.store, at(commit("grown").time))).rejects.toMatchObject({
      code: "TARGET_AFTER_ARCHIVE",
      message: expect.stringMatching(/the last commit in the bucket is of 20\d\d-\S+ \S+ at 0\//),
    });
  });

  test("before a hole is reached, with a warning; behind it refused with the segment's name", async () => {
    const hole = segmentOf(commit("during").index);
    const store = await without(first, hole);
    const reached = await plan(store, at(commit("one").time));
    expect(reached).toMatchObject({
      backup: { label: "2025-01-05" },
      warnings: [expect.stringContaining(`WAL from '${hole}' on cannot be reached`)],
    });
    await expect(plan(store, at(commit("during").time))).rejects.toMatchObject({
      code: "WAL_MISSING",
      message: expect.stringContaining(`'${hole}'`),
    });
  });

  test("is found with few requests: what segments say of themselves, each once, and then those around the target", async () => {
    const requests: { key: string; isWhole: boolean }[] = [];
    const counting: ObjectStore = {
      ...first,
      get: async (key, options) => (
        requests.push({ key, isWhole: options?.range === undefined }),
        first.get(key, options)
      ),
    };
    await plan(counting, at(commit("during").time), { backup: "2025-01-05" });
    const ofWal = requests.filter(({ key }) => key.startsWith("wal/"));
    expect(ofWal.filter(({ isWhole }) => isWhole).length).toBeLessThanOrEqual(7);
    const described = ofWal.filter(({ isWhole }) => !isWhole).map(({ key }) => key);
    expect(described).toEqual([...new Set(described)]);
  });

  test("tells how many transactions end within a second of it, on either side of where recovery stops", async () => {
    const order = ["before", "one", "two", "during", "three", "four"].map((name) => commit(name));
    const { time } = commit("one");
    const near = (list: readonly Commit[]) =>
      list.filter((one) => one.time >= time - 1_000_000n && one.time <= time + 1_000_000n).length;
    expect((await plan(world.store, at(time), { timeline: 1 })).nearby).toEqual({
      replayed: near(order.slice(0, 2)),
      leftOut: near(order.slice(2)),
      isComplete: true,
    });
    expect(near(order.slice(2))).toBeGreaterThan(0);
    expect((await plan(world.store, at(time, false), { timeline: 1 })).nearby).toMatchObject({
      replayed: near(order.slice(0, 1)),
      leftOut: near(order.slice(1)),
    });
  });
});

describe("a position, a transaction, a restore point, immediate", () => {
  test("an LSN is reached inclusively and exclusively", async () => {
    const { resolved } = await plan(first, at(commit("one").time));
    const stop = resolved.firstLeftOut?.lsn ?? 0n;
    const exclusive = await plan(first, { kind: "lsn", lsn: stop, inclusive: false });
    expect(exclusive.resolved).toMatchObject({ stopLsn: resolved.stopLsn, firstLeftOut: { time: commit("two").time } });
    const inclusive = await plan(first, { kind: "lsn", lsn: stop, inclusive: true });
    expect(inclusive.resolved).toMatchObject({ lastReplayed: { time: commit("two").time } });
    expect(inclusive.resolved.stopLsn).toBeGreaterThan(stop);
  });

  test("an LSN before every backup, or behind the archive, is refused", async () => {
    await expect(
      plan(first, { kind: "lsn", lsn: parseLsn(world.backups.quiet.startLsn), inclusive: true }),
    ).rejects.toMatchObject({ code: "TARGET_BEFORE_BACKUP" });
    await expect(plan(first, { kind: "lsn", lsn: 0xffn << 32n, inclusive: true })).rejects.toMatchObject({
      code: "TARGET_AFTER_ARCHIVE",
    });
  });

  test("a transaction is replayed or left out; an unknown one is refused", async () => {
    const { xid } = commit("one");
    expect(await plan(first, { kind: "xid", xid, inclusive: true })).toMatchObject({
      backup: { label: "2025-01-05" },
      resolved: { lastReplayed: { time: commit("one").time } },
    });
    expect(await plan(first, { kind: "xid", xid, inclusive: false })).toMatchObject({
      backup: { label: "2025-01-05" },
      resolved: { firstLeftOut: { time: commit("one").time } },
    });
    await expect(plan(first, { kind: "xid", xid: 4_000_000_000, inclusive: true })).rejects.toMatchObject({
      code: "TARGET_AFTER_ARCHIVE",
    });
  });

  test("a restore point is found by its name in the backup that leads to it; another name is refused", async () => {
    expect(await plan(first, { kind: "name", name: "between" })).toMatchObject({
      backup: { label: "2025-01-05" },
      resolved: { lastReplayed: { time: commit("one").time } },
    });
    await expect(plan(first, { kind: "name", name: "betwee" })).rejects.toMatchObject({
      code: "TARGET_AFTER_ARCHIVE",
      message: expect.stringContaining("restore point 'betwee'"),
    });
  });

  test("immediate is the end of the backup itself", async () => {
    const { backup, resolved } = await plan(first, { kind: "immediate" });
    expect(backup.label).toBe("2025-01-06");
    expect(resolved.stopLsn).toBeGreaterThanOrEqual(parseLsn(backup.stopLsn));
    expect(resolved.stopLsn).toBeLessThan(parseLsn(backup.stopLsn) + 200n);
    expect((await plan(first, { kind: "immediate" }, { backup: "2025-01-05" })).backup.label).toBe("2025-01-05");
  });
});

test("replay is shown with the commit time that the segment before tells of itself, and noted for other terminals", async () => {
  const planned = await plan(first, { kind: "latest" }, { backup: "2025-01-05" });
  const noted: string[] = [];
  const shown = new Promise<unknown>((resolve) => {
    const keeper = { replayed: (time: string) => noted.push(time) };
    const report = reportReplay(first, planned, {
      keeper,
      signal: undefined,
      onEvent: (event) => event.type === "replayed" && resolve(event),
    });
    report({
      type: "file-restored",
      name: planned.chain.segments.find(({ index }) => index === commit("one").index + 1)?.name ?? "",
      count: 1,
    });
  });
  expect(await shown).toMatchObject({
    lsn: lsnOfSegmentIndex(commit("one").index + 1, SEGMENT_SIZE),
    time: expect.any(BigInt) as bigint,
  });
  await expect.poll(() => noted).toHaveLength(1);
  expect(Math.abs(Date.parse(noted[0] ?? "") - Number(commit("one").time / 1000n))).toBeLessThan(60_000);
});

describe("a backup", () => {
  test("is taken by its stop LSN, never by its label or a clock", async () => {
    const store = await copyStore(first, (key) => !key.startsWith("base/"));
    const { quiet, busy } = world.backups;
    await putBackup(store, { ...quiet, label: "2025-01-09" });
    await putBackup(store, { ...busy, label: "2025-01-02" });
    expect((await plan(store, { kind: "latest" })).backup.label).toBe("2025-01-02");
    expect((await plan(store, at(commit("one").time))).backup.label).toBe("2025-01-09");
  });

  test("that was named and is not there, or not complete, is refused with the ones that are", async () => {
    const store = await copyStore(first);
    await store.put("base/2025-01-08/started.json", Buffer.from("{}"));
    await expect(plan(store, { kind: "latest" }, { backup: "2025-01-07" })).rejects.toMatchObject({
      code: "BACKUP_MISSING",
      hint: expect.stringContaining("2025-01-05, 2025-01-06"),
    });
    await expect(plan(store, { kind: "latest" }, { backup: "2025-01-08" })).rejects.toMatchObject({
      code: "BACKUP_MISSING",
      hint: expect.stringContaining("interrupted"),
    });
  });

  test("whose backup.json is damaged hides no healthy one, and is named", async () => {
    const store = await copyStore(first);
    await store.put("base/2025-01-06/backup.json", Buffer.from("{"));
    const found = await plan(store, { kind: "latest" });
    expect(found).toMatchObject({
      backup: { label: "2025-01-05" },
      passedOver: [{ label: "2025-01-06", reason: expect.stringContaining("it is not JSON") }],
    });
    await expect(plan(store, { kind: "latest" }, { backup: "2025-01-06" })).rejects.toMatchObject({
      code: "BACKUP_MISSING",
      cause: { code: "REPOSITORY_DAMAGED" },
    });
  });

  test.each([
    ["missing", undefined, "it is missing"],
    ["cut short", Buffer.from("dat"), "it has 3 bytes, 4 were recorded"],
  ])(
    "an object of which is %s is passed over for an older one, and refused when it was named",
    async (_, content, fact) => {
      const store = await copyStore(first);
      await store.remove(["base/2025-01-06/backup.tar.gz"]);
      if (content !== undefined) await store.put("base/2025-01-06/backup.tar.gz", content);
      expect(await plan(store, { kind: "latest" })).toMatchObject({
        backup: { label: "2025-01-05" },
        passedOver: [{ label: "2025-01-06", reason: expect.stringContaining(fact) }],
      });
      await expect(plan(store, { kind: "latest" }, { backup: "2025-01-06" })).rejects.toMatchObject({
        code: "REPOSITORY_DAMAGED",
        message: expect.stringContaining(fact),
      });
      // A target that it could not serve anyway is not refused because of it.
      expect((await plan(store, at(commit("one").time))).backup.label).toBe("2025-01-05");
    },
  );

  test("whose own WAL is missing is passed over for one before the hole; alone it is refused", async () => {
    const needed = world.backups.busy.lastSegment;
    const store = await without(first, needed);
    expect(await plan(store, at(commit("one").time))).toMatchObject({
      backup: { label: "2025-01-05" },
      passedOver: [{ label: "2025-01-06", reason: expect.stringContaining("cannot be made consistent") }],
    });
    await expect(plan(store, { kind: "immediate" }, { backup: "2025-01-06" })).rejects.toMatchObject({
      code: "WAL_MISSING",
      message: expect.stringContaining(`'${needed}'`),
    });
  });

  test("of another cluster is never used", async () => {
    const store = await copyStore(first, (key) => !key.startsWith("base/2025-01-06/"));
    await putBackup(store, { ...world.backups.busy, systemIdentifier: "1" });
    expect((await plan(store, { kind: "latest" })).backup.label).toBe("2025-01-05");
    await expect(plan(store, { kind: "latest" }, { backup: "2025-01-06" })).rejects.toMatchObject({
      code: "REPOSITORY_FOREIGN",
    });
  });

  test("there is none, or no repository: two different refusals", async () => {
    await expect(
      plan(await copyStore(first, (key) => !key.startsWith("base/")), { kind: "latest" }),
    ).rejects.toMatchObject({ code: "BACKUP_MISSING" });
    await expect(plan(await copyStore(first, () => false), { kind: "latest" })).rejects.toMatchObject({
      code: "REPOSITORY_MISSING",
    });
  });
});

describe("timelines", () => {
  test("a target on the parent's part names the parent to PostgreSQL, and takes no segment beyond the switch", async () => {
    const { chain, resolved } = await plan(world.store, at(commit("three").time));
    expect(chain.history.timeline).toBe(1);
    expect(resolved.firstLeftOut?.time).toBe(commit("four").time);
  });

  test("a target behind the switch follows the child; the abandoned branch's commits are never met", async () => {
    const { chain, resolved } = await plan(world.store, at(commit("child").time));
    expect(chain.history.timeline).toBe(2);
    expect(resolved).toMatchObject({
      lastReplayed: { time: commit("child").time },
      firstLeftOut: { time: commit("grown").time },
    });
    expect(chain.segments.map(({ name }) => name)).not.toContain(
      segmentOf(segmentIndexOfLsn(world.switchLsn, SEGMENT_SIZE)),
    );
  });

  test("a child of which only the history was archived is not reached, and the timelines that reach further are named", async () => {
    const store = await copyStore(world.store, (key) => !key.startsWith("wal/00000002") || key.endsWith(".history"));
    const refused = {
      code: "WAL_MISSING",
      message: expect.stringContaining("and none of its WAL is in the bucket") as unknown,
      hint: expect.stringContaining("--target-timeline 1 (its WAL in the bucket ends at") as unknown,
    };
    await expect(plan(store, { kind: "latest" })).rejects.toMatchObject(refused);
    await expect(plan(store, { kind: "latest" }, { timeline: 2 })).rejects.toMatchObject(refused);
    // What lies before the switch is the same on both.
    const { resolved } = await plan(store, at(commit("four").time - 1n));
    expect(resolved.firstLeftOut?.time).toBe(commit("four").time);
  });

  test("a history that cannot be read stops nobody, unless WAL of its timeline is there", async () => {
    const store = await copyStore(world.store, () => true);
    await store.put("wal/FFFFFFFF.history", Buffer.from("nonsense"));
    await store.put("wal/000000FF.history", Buffer.alloc(2 * 1024 * 1024));
    const { chain } = await plan(store, { kind: "latest" });
    expect(chain.history.timeline).toBe(2);
    expect((await readRecoveryWindow(store, SEGMENT_SIZE)).unreadable.map(({ timeline }) => timeline)).toEqual([
      0xff_ff_ff_ff, 0xff,
    ]);
    await store.remove(["wal/00000002.history"]);
    await store.put("wal/00000002.history", Buffer.from("nonsense"));
    await expect(plan(store, { kind: "latest" })).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
      hint: expect.stringContaining("--target-timeline 1") as unknown,
    });
    const parent = await plan(store, { kind: "latest" }, { timeline: 1 });
    expect(parent.chain.history.timeline).toBe(1);
  });

  test("the segment of the switch that only the child has serves a target on the parent's part of it", async () => {
    const index = segmentIndexOfLsn(world.switchLsn, SEGMENT_SIZE);
    const store = await copyStore(world.store, (key) => !key.startsWith("wal/00000001") || world.beforeSwitch.has(key));
    const { chain, resolved } = await plan(store, at(commit("four").time - 1n));
    expect(chain.history.timeline).toBe(1);
    expect(resolved.firstLeftOut?.time).toBe(commit("four").time);
    expect(chain.segments.at(-1)).toMatchObject({
      timeline: 1,
      name: segmentOf(index),
      cutLsn: world.switchLsn,
      object: { name: segmentOf(index, 2) },
    });
  });

  test("a child that begins behind the end of what is there of its parent cannot be reached: what was committed between is nowhere", async () => {
    const index = segmentIndexOfLsn(world.switchLsn, SEGMENT_SIZE);
    const store = await copyStore(world.store, (key) => !key.startsWith("wal/00000002") || key.endsWith(".history"));
    const [object] = await findWalObjects(store, segmentOf(index));
    if (object === undefined) throw new Error("no segment of the switch");
    // As the last tail that the old primary had shipped.
    const bytes = await readWalFile(store, object);
    const { resolved } = await plan(world.store, at(commit("four").time - 1n));
    bytes.fill(0, Number((resolved.firstLeftOut?.lsn ?? 0n) - lsnOfSegmentIndex(index, SEGMENT_SIZE)));
    await store.remove([object.key]);
    async function* open(): AsyncGenerator<Buffer> {
      yield await Promise.resolve(bytes);
    }
    await putWalFile(
      store,
      { name: segmentOf(index), size: bytes.length, sha256: sha256Hex(bytes), open },
      { codec: "zstd" },
    );
    await expect(plan(store, { kind: "latest" })).rejects.toMatchObject({
      code: "WAL_MISSING",
      message: expect.stringMatching(
        /timeline 2 cannot be reached: it begins at .*, and the WAL before it ends at/,
      ) as string,
      hint: expect.stringContaining("--target-timeline 1") as string,
    });
  });

  test("the segment of the switch that nobody has is named, and the parent is offered", async () => {
    const store = await copyStore(
      world.store,
      (key) => world.beforeSwitch.has(key) || key.endsWith(".history") || !key.startsWith("wal/"),
    );
    await expect(plan(store, { kind: "latest" })).rejects.toMatchObject({
      code: "WAL_MISSING",
      message: expect.stringContaining("timeline 2 cannot be reached"),
      hint: expect.stringContaining("--target-timeline 1"),
    });
    expect((await plan(store, { kind: "latest" }, { timeline: 1 })).chain.history.timeline).toBe(1);
  });

  test("without its history file a timeline is refused, and so is one that never was", async () => {
    const store = await without(world.store, "wal/00000002.history");
    await expect(plan(store, { kind: "latest" })).rejects.toMatchObject({
      code: "WAL_MISSING",
      message: expect.stringContaining("00000002.history"),
    });
    await expect(plan(world.store, { kind: "latest" }, { timeline: 7 })).rejects.toMatchObject({ code: "WAL_MISSING" });
  });

  test("a timeline to which no backup leads is refused with the one to which they do", async () => {
    const store = await copyStore(world.store);
    await store.put("wal/00000003.history", Buffer.from("2\t0/10\tx\n".replace("2", "1")));
    await expect(plan(store, { kind: "latest" })).rejects.toMatchObject({
      code: "TARGET_UNREACHABLE",
      hint: expect.stringContaining("--target-timeline 1"),
    });
  });
});

describe("WAL on the old disk that the bucket lacks", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "soar-old-wal-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** Takes files out of a bucket and lays them where the lost server had them. */
  async function onDiskOnly(from: ObjectStore, ...names: string[]): Promise<ObjectStore> {
    for (const name of names) {
      const [object] = await findWalObjects(from, name);
      if (object !== undefined) writeFileSync(join(directory, name), await readWalFile(from, object));
    }
    return without(from, ...names, ...names.map((name) => `wal/${name}`));
  }

  const fromDisk = (result: Awaited<ReturnType<typeof plan>>) =>
    result.chain.segments.filter(({ object }) => object.file !== undefined).map(({ name }) => name);

  test("continues the chain to the last commit, behind what is archived and across a hole", async () => {
    const names = [segmentOf(commit("during").index), segmentOf(commit("three").index)];
    const store = await onDiskOnly(first, ...names);
    const found = await plan(store, { kind: "latest" }, { localWal: [directory], backup: "2025-01-05" });
    expect(fromDisk(found)).toEqual([...new Set(names)]);
    expect(found.resolved.lastReplayed?.time).toBe(commit("three").time);
    expect(found.fetchBytes.wal).toBeLessThan(
      (await plan(first, { kind: "latest" }, { backup: "2025-01-05" })).fetchBytes.wal,
    );
  });

  test("is passed over where the bucket has the segment itself, and where a file only bears the name of one", async () => {
    const last = segmentOf(commit("three").index);
    const [object] = await findWalObjects(first, last);
    if (object === undefined) throw new Error("no segment");
    writeFileSync(join(directory, last), (await readWalFile(first, object)).toReversed());
    writeFileSync(join(directory, segmentOf(commit("three").index + 1)), await readWalFile(first, object));
    const found = await plan(first, { kind: "latest" }, { localWal: [directory] });
    expect(fromDisk(found)).toEqual([]);
    expect(found.resolved.lastReplayed?.time).toBe(commit("three").time);
  });

  test("counts only up to a place where it is damaged", async () => {
    const [damaged, behind] = [segmentOf(commit("two").index), segmentOf(commit("two").index + 1)];
    const store = await onDiskOnly(first, damaged, behind);
    const [object] = await findWalObjects(first, damaged);
    if (object === undefined) throw new Error("no segment");
    const bytes = Buffer.from(await readWalFile(first, object));
    bytes.fill(0xaa, 64, 512);
    writeFileSync(join(directory, damaged), bytes);
    // Behind it lies more in the bucket, which cannot be reached: that is a hole, never a quiet end.
    await expect(
      plan(store, { kind: "latest" }, { localWal: [directory], backup: "2025-01-05" }),
    ).rejects.toMatchObject({ code: "WAL_MISSING" });
  });

  test("leads to a timeline that was never archived, and only with the history that belongs to it", async () => {
    const names = [commit("child").index, commit("grown").index].map((index) => segmentOf(index, 2));
    const store = await onDiskOnly(world.store, ...names, "00000002.history");
    const found = await plan(store, { kind: "latest" }, { localWal: [directory] });
    expect(found.chain.history.timeline).toBe(2);
    expect(found.localHistories.map(({ timeline }) => timeline)).toEqual([2]);
    expect(found.resolved.lastReplayed?.time).toBe(commit("grown").time);
    // Another timeline 2 is in the bucket: what lies here belongs to one that was given up.
    await store.put("wal/00000002.history", Buffer.from("1\t0/3000148\tno recovery target specified\n"));
    await expect(plan(store, { kind: "latest" }, { localWal: [directory] })).rejects.toMatchObject({
      code: expect.stringMatching(/WAL_MISSING|TARGET_UNREACHABLE/),
    });
  });

  test("one flipped bit of what its history says is named, never followed", async () => {
    const key = "wal/00000002.history";
    const healthy = await plan(world.store, { kind: "latest" });
    const store = await copyStore(world.store);
    const text = await readObject(store, key);
    // What stands behind the second tab is for people.
    const meaning = text.subarray(0, text.lastIndexOf("\t"));
    for (const [offset] of meaning.entries()) {
      for (const bit of [1, 2, 4, 8]) {
        const flipped = Buffer.from(text);
        flipped.writeUInt8(flipped.readUInt8(offset) ^ bit, offset);
        await store.remove([key]);
        await store.put(key, flipped);
        const outcome = await plan(store, { kind: "latest" }).then(
          ({ chain }) => chain.history,
          (error: Error) => error.message,
        );
        // A digit may be written in another way, as 0/5 and 0/05 are.
        if (typeof outcome === "string")
          expect(outcome, flipped.toString()).toMatch(/00000002\.history|WAL segments? '/);
        else expect(outcome, flipped.toString()).toEqual(healthy.chain.history);
      }
    }
  });
});
