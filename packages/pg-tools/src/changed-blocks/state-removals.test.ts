import { expect, test } from "vitest";
import { isRemovedBy, parseStateFile, type StateRemoval } from "./state-removals.ts";

const OF_18 = { blockSize: 8192, pgMajor: 18 };
const OF_19 = { blockSize: 8192, pgMajor: 19 };

const removed = (name: string, removal: StateRemoval, geometry = OF_18): boolean => {
  const file = parseStateFile(name, geometry);
  return file !== undefined && isRemovedBy(file, removal);
};

test("files of states, by their names", () => {
  expect(parseStateFile("pg_xact/0001", OF_18)).toEqual({
    kind: "xact",
    firstPage: 32,
    perPage: 32_768,
    isCircular: true,
  });
  expect(parseStateFile("pg_commit_ts/0002", OF_19)).toMatchObject({ kind: "commit-ts", firstPage: 64, perPage: 819 });
  expect(parseStateFile("pg_multixact/offsets/0003", OF_18)).toMatchObject({ kind: "offsets", perPage: 2048 });
  expect(parseStateFile("pg_multixact/members/14078", OF_18)).toMatchObject({ perPage: 1636, isCircular: true });
  for (const name of ["base/5/16384", "pg_xact/000g", "pg_multixact/0000", "pg_subtrans/0000"])
    expect(parseStateFile(name, OF_18)).toBeUndefined();
});

test("PostgreSQL 19 counts members with 64 bits, never anew", () => {
  expect(parseStateFile("pg_multixact/offsets/0003", OF_19)).toMatchObject({
    kind: "offsets",
    firstPage: 96,
    perPage: 1024,
    isCircular: true,
  });
  expect(parseStateFile("pg_multixact/members/000000000014078", OF_19)).toEqual({
    kind: "members",
    firstPage: 0x14078 * 32,
    perPage: 1636,
    isCircular: false,
  });
  const perFile = 1636 * 32;
  const before: StateRemoval = { kind: "members", beforeMember: 0x20000 * perFile };
  expect(removed("pg_multixact/members/000000000000000", before, OF_19)).toBe(true);
  expect(removed("pg_multixact/members/00000000001FFFF", before, OF_19)).toBe(true);
  expect(removed("pg_multixact/members/000000000020000", before, OF_19)).toBe(false);
  expect(removed("pg_multixact/members/000000000030000", before, OF_19)).toBe(false);
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
