import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lsnOfSegmentIndex, segmentIndexOfLsn } from "@soar/pg-tools";
import { sha256Hex } from "@soar/repository";
import { findWalObjects, putWalFile, readWalFile } from "@soar/repository/wal";
import { readRecoveryWindow } from "@soar/repository/window";
import { readObject, type ObjectStore } from "@soar/storage";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { at, beforeBranches, commitOf, plan, segmentOf, without } from "./plan-in-world.ts";
import { copyStore, createPlanningWorld, putBackup, SEGMENT_SIZE, type PlanningWorld } from "./planning-world.ts";

let world: PlanningWorld;
let first: ObjectStore;

beforeAll(async () => {
  world = await createPlanningWorld();
  first = await beforeBranches(world);
});

const commit = (name: string) => commitOf(world, name);

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
