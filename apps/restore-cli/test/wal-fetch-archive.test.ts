import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { claimRepository } from "@soar/repository";
import { findWalObjects } from "@soar/repository/wal";
import { readObject } from "@soar/storage";
import type { ProgramResult } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  archive,
  createLineageWorld,
  CUT,
  type LineageWorld,
  SEGMENT_SIZE,
  segmentBytes,
  segmentName,
  SYSTEM_IDENTIFIER,
} from "./lineage-world.ts";
import { runRestore } from "./run-restore.ts";

// Without the plan of a restore: as a standby, pg_rewind and somebody's own recovery ask.

let world: LineageWorld;
let walDir: string;
beforeEach(async () => {
  world = await createLineageWorld();
  walDir = join(world.directory, "pg_wal");
  rmSync(world.plan);
  await claimRepository(
    world.store,
    { systemIdentifier: SYSTEM_IDENTIFIER, postgresMajor: 15, walSegmentSize: SEGMENT_SIZE },
    { toolVersion: "test", now: new Date() },
  );
});
afterEach(() => world.dispose());

const TARGET = "pg_wal/RECOVERYXLOG";
const delivered = (): Buffer => readFileSync(join(world.directory, TARGET));

function fetchWalTo(path: string, name: string, ...more: readonly string[]): Promise<ProgramResult> {
  const env = { BACKUP_BUCKET: `file://${world.bucketDirectory}` };
  return runRestore(["wal-fetch", ...more, name, path], { cwd: world.directory, env });
}

/** As PostgreSQL asks for what it replays. */
const fetchWal = (name: string, ...more: readonly string[]): Promise<ProgramResult> =>
  fetchWalTo(TARGET, name, ...more);

const becomeStandby = (): void => writeFileSync(join(world.directory, "standby.signal"), "");
/** As PostgreSQL keeps what it was given of a history. */
const keepHistory = (name: string): void => cpSync(join(world.bucketDirectory, "wal", name), join(walDir, name));

async function damage(index: number): Promise<void> {
  const [object] = await findWalObjects(world.store, segmentName(index));
  const bytes = await readObject(world.store, object?.key ?? "");
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  await world.store.remove([object?.key ?? ""]);
  await world.store.put(object?.key ?? "", bytes);
}

/** Nothing lies where PostgreSQL would take it from, and nothing else either. */
function expectNothing({ status, stderr }: ProgramResult, wanted: number, message: RegExp): void {
  expect(status, stderr).toBe(wanted);
  expect(stderr).toMatch(message);
  expect(readdirSync(walDir).filter((name) => !name.endsWith(".history"))).toEqual([]);
}

describe.each([
  ["a recovery", false],
  ["a standby", true],
])("%s that asks by name", (_, standby) => {
  beforeEach(() => {
    if (standby) becomeStandby();
  });
  /** A recovery stops where a standby asks again. */
  const failure = standby ? 1 : 126;

  test("is given a segment and a history as they are", async () => {
    expect(await fetchWal(segmentName(3))).toMatchObject({ status: 0, stdout: "" });
    expect(delivered().equals(segmentBytes(3))).toBe(true);
    expect(await fetchWal("00000002.history")).toMatchObject({ status: 0 });
    expect(delivered().toString()).toMatch(/^1\t0\/401000\t/);
    expect(await fetchWal(segmentName(5, 2))).toMatchObject({ status: 0 });
    expect(delivered().equals(segmentBytes(5, 2))).toBe(true);
  });

  test("is told that the archive ends where nothing is behind it", async () => {
    expectNothing(await fetchWal(segmentName(6, 2)), 1, /there is no '00000002/);
    expectNothing(await fetchWal("00000003.history"), 1, /there is no '00000003\.history'/);
  });

  test("is never told so in a hole", async () => {
    await archive(world.store, segmentName(7, 2), segmentBytes(7, 2));
    expectNothing(await fetchWal(segmentName(6, 2)), failure, /although '000000020000000000000007' is/);
  });

  test("gets nothing that is damaged, and what is not, in another codec", async () => {
    await damage(3);
    expectNothing(await fetchWal(segmentName(3)), failure, /is damaged/);
    await world.store.put(`wal/${segmentName(3)}`, segmentBytes(3));
    expect(await fetchWal(segmentName(3))).toMatchObject({ status: 0 });
    expect(delivered().equals(segmentBytes(3))).toBe(true);
    await world.store.put(`wal/${segmentName(2)}`, Buffer.alloc(SEGMENT_SIZE));
    expect(await fetchWal(segmentName(2))).toMatchObject({ status: 0 });
    expect(delivered().equals(segmentBytes(2))).toBe(true);
  });

  test("gets nothing of another cluster, of no repository, or by a name that is none", async () => {
    await archive(world.store, segmentName(7, 2), segmentBytes(7, 2, "7000000000000000001"));
    expectNothing(await fetchWal(segmentName(7, 2)), failure, /a segment of another cluster/);
    expectNothing(await fetchWal(`${segmentName(3)}.partial`), failure, /does not ask for such a file/);
    mkdirSync(join(world.directory, "empty"));
    const env = { BACKUP_BUCKET: `file://${join(world.directory, "empty")}` };
    const args = ["wal-fetch", segmentName(3), TARGET];
    expectNothing(await runRestore(args, { cwd: world.directory, env }), failure, /there is no repository/);
    expectNothing(await fetchWal(segmentName(3), "--no-such-option"), failure, /there is no such option/);
  });

  test("gets of a timeline that it has left what belongs to it, and nothing of where that went on", async () => {
    keepHistory("00000002.history");
    const cut = Buffer.concat([segmentBytes(4).subarray(0, CUT), Buffer.alloc(SEGMENT_SIZE - CUT)]);
    expect(await fetchWal(segmentName(4))).toMatchObject({ status: 0 });
    expect(delivered().equals(cut)).toBe(true);
    rmSync(join(world.directory, TARGET));
    expectNothing(await fetchWal(segmentName(5)), 1, /timeline 2 goes on from 0\/401000 instead/);
  });
});

test("a standby of the newest timeline gets nothing of an abandoned one before it has read of it", async () => {
  becomeStandby();
  expectNothing(await fetchWal(segmentName(5)), 1, /timeline 2 goes on from/);
  expect(await fetchWal(segmentName(5), "--recovery-target-timeline", "current")).toMatchObject({ status: 0 });
  expect(delivered().equals(segmentBytes(5))).toBe(true);
});

test("pg_rewind gets the segments of a branch that was left, whatever its target knows", async () => {
  keepHistory("00000002.history");
  becomeStandby();
  for (const index of [4, 5]) {
    const path = join(walDir, segmentName(index));
    expect(await fetchWalTo(path, segmentName(index))).toMatchObject({ status: 0 });
    expect(readFileSync(path).equals(segmentBytes(index))).toBe(true);
  }
});

describe("a recovery is stopped, and not ended,", () => {
  const removeSegment = async (index: number): Promise<void> => {
    await world.store.remove([(await findWalObjects(world.store, segmentName(index)))[0]?.key ?? ""]);
  };

  test("where the last segments before a failover were never archived", async () => {
    for (const index of [3, 4, 5]) await removeSegment(index);
    await archive(world.store, `${segmentName(4)}.partial`, segmentBytes(4));
    expectNothing(await fetchWal(segmentName(3)), 126, /although timeline 2 goes on behind it, from 0\/401000/);
    keepHistory("00000002.history");
    expectNothing(await fetchWal(segmentName(3)), 126, /although timeline 2 goes on behind it/);
  });

  test("where the history of a timeline is lost whose WAL is there, or that of one behind it", async () => {
    await world.store.remove(["wal/00000002.history"]);
    expectNothing(await fetchWal("00000002.history"), 126, /'00000002\.history' is not in .*, although WAL/);
    expectNothing(await fetchWal(segmentName(6)), 126, /'00000002\.history' is not in/);
    becomeStandby();
    expectNothing(await fetchWal(segmentName(5)), 1, /'00000002\.history' is not in/);
  });
});

test("a parent that was left before its own beginning is given up to there, whoever reads its segments", async () => {
  // Of 2, which left 1 at 0/401000, 3 has nothing: it left at 0/400800.
  const text = "1\t0/401000\tno recovery target specified\n\n2\t0/400800\tbefore 2025-01-01\n";
  await archive(world.store, "00000003.history", Buffer.from(text));
  await archive(world.store, segmentName(4, 2), segmentBytes(4, 2));
  keepHistory("00000003.history");
  expect(await fetchWal(segmentName(4, 2))).toMatchObject({ status: 0 });
  expect(delivered().subarray(0, 0x800).equals(segmentBytes(4, 2).subarray(0, 0x800))).toBe(true);
  expect(
    delivered()
      .subarray(0x800)
      .equals(Buffer.alloc(SEGMENT_SIZE - 0x800)),
  ).toBe(true);
  rmSync(join(world.directory, TARGET));
  expectNothing(await fetchWal(segmentName(5, 2)), 1, /timeline 3 goes on from 0\/400800 instead/);
});

test("somebody's fetch by hand for a standby, as the command line says, ends with 1, too", async () => {
  expectNothing(await fetchWal(segmentName(6), "--standby"), 1, /there is no/);
  rmSync(world.bucketDirectory, { recursive: true });
  expectNothing(await fetchWal(segmentName(3), "--standby"), 1, /./);
  expectNothing(await fetchWal(segmentName(3)), 126, /./);
});
