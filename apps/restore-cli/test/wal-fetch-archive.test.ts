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

function fetchWal(name: string, ...more: readonly string[]): Promise<ProgramResult> {
  const env = { BACKUP_BUCKET: `file://${world.bucketDirectory}` };
  return runRestore(["wal-fetch", ...more, name, TARGET], { cwd: world.directory, env });
}

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
    await world.store.remove([(await findWalObjects(world.store, segmentName(2)))[0]?.key ?? ""]);
    expectNothing(await fetchWal(segmentName(2)), failure, /although '000000010000000000000003' is/);
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

test("pg_rewind gets the segments of a branch that was left, by name", async () => {
  expect(await fetchWal(segmentName(5))).toMatchObject({ status: 0 });
  expect(delivered().equals(segmentBytes(5))).toBe(true);
});

test("somebody's fetch by hand for a standby, as the command line says, ends with 1, too", async () => {
  expectNothing(await fetchWal(segmentName(6), "--standby"), 1, /there is no/);
  rmSync(world.bucketDirectory, { recursive: true });
  expectNothing(await fetchWal(segmentName(3), "--standby"), 1, /./);
  expectNothing(await fetchWal(segmentName(3)), 126, /./);
});
