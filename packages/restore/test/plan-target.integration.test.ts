import { lsnOfSegmentIndex, parseLsn } from "@soar/pg-tools";
import type { RestoreTarget } from "@soar/restore/plan";
import type { ObjectStore } from "@soar/storage";
import { beforeAll, describe, expect, test } from "vitest";
import { reportReplay } from "../src/recover/replay-progress.ts";
import { at, beforeBranches, commitOf, plan, segmentOf, without } from "./plan-in-world.ts";
import { createPlanningWorld, SEGMENT_SIZE, type Commit, type PlanningWorld } from "./planning-world.ts";

let world: PlanningWorld;
let first: ObjectStore;

beforeAll(async () => {
  world = await createPlanningWorld();
  first = await beforeBranches(world);
});

const commit = (name: string) => commitOf(world, name);

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
    // PostgreSQL takes the lower half of such a number, and stops.
    await expect(plan(first, { kind: "xid", xid: xid + 2 ** 32, inclusive: true })).rejects.toMatchObject({
      code: "TARGET_INVALID",
      message: expect.stringContaining(`is ${xid}`) as string,
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
