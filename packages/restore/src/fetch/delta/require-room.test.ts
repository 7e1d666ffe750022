import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BackupRecord } from "@soar/repository";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freeBytesAt } from "../../data-directory.ts";
import { requireRoom } from "./require-room.ts";

/** A file system in memory, beside the one of temporary files. */
const OTHER = "/dev/shm";
const MIB = 1024 ** 2;
let directory: string;
let other: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "soar-room-"));
  other = mkdtempSync(join(OTHER, "soar-room-"));
});
afterEach(() => [directory, other].forEach((path) => rmSync(path, { recursive: true })));

const plan = (neededBytes: number, tablespace: number) => ({
  neededBytes,
  neededWalBytes: 0,
  backup: {
    archives: [
      { name: "base", object: "backup.tar", tar: neededBytes, stored: 1 },
      { name: "1", oid: 1, object: "1.tar", tar: tablespace, stored: 1 },
    ],
  } as unknown as BackupRecord,
});
const places = (tablespace: string) => ({
  dataDir: join(directory, "data"),
  tablespaces: new Map([[1, join(tablespace, "space")]]),
});

test("a tablespace has to fit where it goes, and takes no room where the data directory goes", async () => {
  expect(statSync(directory).dev).not.toBe(statSync(other).dev);
  const [here, there] = [await freeBytesAt(directory), await freeBytesAt(other)];
  await expect(requireRoom(plan(2 * MIB, MIB), places(other), { kind: "fill" })).resolves.toBeUndefined();
  const tooLarge = there + 1024 * MIB;
  await expect(requireRoom(plan(tooLarge + MIB, tooLarge), places(other), { kind: "fill" })).rejects.toMatchObject({
    code: "DISK_FULL",
    message: expect.stringMatching(new RegExp(`into '${join(other, "space")}': ${tooLarge} bytes are needed`)),
    hint: expect.stringContaining("--tablespace-map"),
  });
  // Together on one file system they do not fit, each by itself would.
  const half = Math.ceil(here * 0.6);
  await expect(requireRoom(plan(2 * half, half), places(directory), { kind: "fill" })).rejects.toMatchObject({
    code: "DISK_FULL",
    message: expect.stringContaining(`${2 * half} bytes are needed`),
    hint: expect.stringContaining("--data-dir"),
  });
});

test("what is filled again counts as free, and a restore that is nearly done asks for nothing", async () => {
  // In memory, where hardly anybody else writes meanwhile.
  writeFileSync(join(other, "file"), Buffer.alloc(64 * MIB));
  const needed = (await freeBytesAt(other)) + 32 * MIB;
  const inPlace = { dataDir: other, tablespaces: new Map<number, string>() };
  await expect(requireRoom(plan(needed, 0), inPlace, { kind: "refill" })).resolves.toBeUndefined();
  await expect(requireRoom(plan(needed, 0), inPlace, { kind: "fill" })).rejects.toMatchObject({ code: "DISK_FULL" });
  await expect(requireRoom(plan(needed * 2, 0), inPlace, { kind: "recover" })).resolves.toBeUndefined();
});

test("WAL needs room where pg_wal leads to, besides the data", async () => {
  const there = await freeBytesAt(other);
  const withWal = (bytes: number) => ({ ...plan(MIB, 0), neededWalBytes: bytes });
  const [inside, outside] = [places(directory), { ...places(directory), walDir: join(other, "wal") }];
  await expect(requireRoom(withWal(MIB), outside, { kind: "fill" })).resolves.toBeUndefined();
  await expect(requireRoom(withWal(there + 1024 * MIB), outside, { kind: "fill" })).rejects.toMatchObject({
    code: "DISK_FULL",
    message: expect.stringContaining(`into '${join(other, "wal")}'`),
    hint: expect.stringContaining("--wal-dir"),
  });
  await expect(
    requireRoom(withWal((await freeBytesAt(directory)) + 1024 * MIB), inside, { kind: "fill" }),
  ).rejects.toMatchObject({ code: "DISK_FULL", hint: expect.stringContaining("--data-dir") });
});

test("holes of sparse files need no room, and are counted only where it would not fit with them", async () => {
  const needed = (await freeBytesAt(other)) + 1024 * MIB;
  let asked = 0;
  const sparse = (holes: number) => ({
    dataDir: other,
    tablespaces: new Map<number, string>(),
    countHoles: async () => {
      asked += 1;
      return await Promise.resolve(new Map([["base", holes]]));
    },
  });
  await expect(requireRoom(plan(MIB, 0), sparse(0), { kind: "fill" })).resolves.toBeUndefined();
  expect(asked).toBe(0);
  await expect(requireRoom(plan(needed, 0), sparse(2048 * MIB), { kind: "fill" })).resolves.toBeUndefined();
  await expect(requireRoom(plan(needed, 0), sparse(MIB), { kind: "fill" })).rejects.toMatchObject({
    code: "DISK_FULL",
    message: expect.stringContaining(`${needed - MIB} bytes are needed`),
  });
});
