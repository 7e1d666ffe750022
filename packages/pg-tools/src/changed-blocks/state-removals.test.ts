import { expect, test } from "vitest";
import { isRemovedBy, parseStateFile, type StateRemoval } from "./state-removals.ts";

const removed = (name: string, removal: StateRemoval): boolean => {
  const file = parseStateFile(name, 8192);
  return file !== undefined && isRemovedBy(file, removal);
};

test("files of states, by their names", () => {
  expect(parseStateFile("pg_xact/0001", 8192)).toEqual({ kind: "xact", firstPage: 32, perPage: 32_768 });
  expect(parseStateFile("pg_commit_ts/0002", 8192)).toEqual({ kind: "commit-ts", firstPage: 64, perPage: 819 });
  expect(parseStateFile("pg_multixact/offsets/0003", 8192)).toEqual({ kind: "offsets", firstPage: 96, perPage: 2048 });
  expect(parseStateFile("pg_multixact/members/14078", 8192)).toMatchObject({ kind: "members", perPage: 1636 });
  for (const name of ["base/5/16384", "pg_xact/000g", "pg_multixact/0000", "pg_subtrans/0000"])
    expect(parseStateFile(name, 8192)).toBeUndefined();
});

test("of transactions only files that lie wholly before the page that is kept", () => {
  const before64: StateRemoval = { kind: "xact", beforePage: 64 };
  expect(removed("pg_xact/0000", before64)).toBe(true);
  expect(removed("pg_xact/0001", before64)).toBe(true);
  expect(removed("pg_xact/0001", { kind: "xact", beforePage: 63 })).toBe(false);
  expect(removed("pg_xact/0002", before64)).toBe(false);
  // 0x0fff holds the last of them before they are counted anew: half of them lie before, the other half behind.
  expect(removed("pg_xact/0FFF", before64)).toBe(true);
  expect(removed("pg_xact/0800", before64)).toBe(false);
  expect(removed("pg_commit_ts/0001", { kind: "commit-ts", beforePage: 64 })).toBe(true);
  expect(removed("pg_commit_ts/0001", before64)).toBe(false);
});

test("of multixacts, by the page of the one before the oldest", () => {
  const perFile = 2048 * 32;
  expect(removed("pg_multixact/offsets/0000", { kind: "offsets", beforeMulti: perFile + 1 })).toBe(true);
  expect(removed("pg_multixact/offsets/0000", { kind: "offsets", beforeMulti: perFile })).toBe(false);
  expect(removed("pg_multixact/offsets/FFFE", { kind: "offsets", beforeMulti: 1 })).toBe(true);
});

test("of members, those of the stretch, also round the end of their numbers", () => {
  const perFile = 1636 * 32;
  const stretch: StateRemoval = { kind: "members", from: perFile, to: 3 * perFile + 5 };
  expect(["0000", "0001", "0002", "0003"].map((name) => removed(`pg_multixact/members/${name}`, stretch))).toEqual([
    false,
    true,
    true,
    false,
  ]);
  const around: StateRemoval = { kind: "members", from: 5 * perFile, to: perFile };
  expect(["0000", "0001", "0004", "0005"].map((name) => removed(`pg_multixact/members/${name}`, around))).toEqual([
    true,
    false,
    false,
    true,
  ]);
});
