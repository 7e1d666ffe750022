import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requires, serverUser } from "@soar-tooling/test-bench";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findMarkedGaps, putGapMarker } from "./gap-markers.ts";

let spool: string;
const isRoot = process.geteuid?.() === 0;
beforeEach(() => {
  spool = join(mkdtempSync(join(tmpdir(), "soar-marks-")), "spool");
});
afterEach(() => {
  if (isRoot) process.seteuid?.(0);
  chmodSync(join(spool, ".."), 0o700);
  rmSync(join(spool, ".."), { recursive: true });
});

const name = (index: number, timeline = 1): string =>
  `${timeline.toString(16).padStart(8, "0")}00000000${index.toString(16).padStart(8, "0")}`.toUpperCase();
const owner = (): { uid: number; gid: number } =>
  isRoot ? serverUser() : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

test("a mark covers its range, both ends included, on its timeline alone", async () => {
  expect(await findMarkedGaps(spool, name(5))).toEqual([]);
  const range = { from: name(5), to: name(7) };
  await putGapMarker(spool, range, owner());
  for (const index of [5, 6, 7]) expect(await findMarkedGaps(spool, name(index))).toEqual([range]);
  for (const other of [name(4), name(8), name(6, 2)]) expect(await findMarkedGaps(spool, other)).toEqual([]);
});

test("what root has declared, the server's user can read", requires("root"), async () => {
  chmodSync(join(spool, ".."), 0o755);
  await putGapMarker(spool, { from: name(5), to: name(5) }, owner());
  expect(statSync(join(spool, "gaps")).uid).toBe(owner().uid);
  process.seteuid?.(owner().uid);
  expect(await findMarkedGaps(spool, name(5))).toHaveLength(1);
});

test("a spool that cannot be read gives nothing up", async () => {
  await putGapMarker(spool, { from: name(5), to: name(5) }, owner());
  chmodSync(join(spool, ".."), isRoot ? 0o700 : 0);
  if (isRoot) process.seteuid?.(owner().uid);
  expect(await findMarkedGaps(spool, name(5))).toEqual([]);
});
