import fc from "fast-check";
import { expect, test } from "vitest";
import { findStateFault, mayBeUnwritten } from "./transaction-states.ts";

/** In progress, committed, rolled back, and a part of one that goes on. */
const [OPEN, COMMITTED, ABORTED, PART] = [0b00, 0b01, 0b10, 0b11];
const states = (...all: readonly number[]): Buffer =>
  Buffer.from([all.reduce((byte, state, index) => byte | (state << (index * 2)), 0)]);
const fault = (before: Buffer, now: Buffer, name = "pg_xact/0000") => findStateFault(name, now, before);

test("transactions end while WAL is replayed", () => {
  expect(fault(states(OPEN, OPEN, PART, PART), states(COMMITTED, ABORTED, COMMITTED, ABORTED))).toBeUndefined();
  expect(fault(states(COMMITTED, ABORTED, OPEN, PART), states(COMMITTED, ABORTED, PART, PART))).toBeUndefined();
});

test("one that had ended has ended in another way", () => {
  expect(fault(states(OPEN, COMMITTED), states(OPEN, ABORTED))).toBe("changed");
  expect(fault(states(ABORTED), states(COMMITTED))).toBe("changed");
  expect(fault(states(COMMITTED), states(PART))).toBe("changed");
});

test("one that had ended has not any more, as in a page that replay has made anew", () => {
  expect(fault(states(COMMITTED, ABORTED), states(COMMITTED, OPEN))).toBe("lost");
  const [before, now] = [Buffer.concat([states(COMMITTED), states(ABORTED)]), Buffer.alloc(2)];
  expect(fault(before, now)).toBe("lost");
  now[1] = COMMITTED;
  expect(fault(before, now)).toBe("changed");
});

test.each(["pg_multixact/offsets/0000", "pg_multixact/members/0000"])("%s is written once, over zeros", (name) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 8 }),
      fc.nat({ max: 7 }),
      fc.integer({ min: 1, max: 255 }),
      (bytes, at, value) => {
        const now = Buffer.from(bytes);
        expect(fault(Buffer.alloc(8), now, name)).toBeUndefined();
        now[at] = value;
        const other = Buffer.from(now);
        other[at] = value === 255 ? 1 : value + 1;
        expect(fault(now, other, name)).toBe("changed");
        other[at] = 0;
        expect(fault(now, other, name)).toBe("lost");
      },
    ),
  );
});

test("the time of a commit may be gone with all others, and is never another", () => {
  const at = (time: bigint, origin: number): Buffer => {
    const entry = Buffer.alloc(10);
    entry.writeBigInt64LE(time);
    entry.writeUInt16LE(origin, 8);
    return Buffer.concat([Buffer.alloc(10), entry]);
  };
  const name = "pg_commit_ts/0000";
  expect(fault(at(5n, 0), at(5n, 0), name)).toBeUndefined();
  expect(fault(at(0n, 0), at(5n, 1), name)).toBeUndefined();
  expect(fault(at(5n, 1), at(0n, 0), name)).toBeUndefined();
  expect(fault(at(5n, 1), at(6n, 1), name)).toBe("changed");
  expect(fault(at(5n, 1), at(5n, 2), name)).toBe("changed");
  expect(fault(at(5n, 1), Buffer.alloc(0), name)).toBeUndefined();
});

test("only pages behind the last checkpoint may have been made anew since, and not be written yet", () => {
  const control = {
    pgMajor: 18,
    blockSize: 8192,
    nextXid: 32_768 * 40 + 5,
    nextMulti: 2048 * 3 + 1000,
    nextMultiMember: 1636 * 2,
  };
  expect(mayBeUnwritten("pg_xact/0001", 7, control)).toBe(false);
  // What came next is noted a moment behind the checkpoint.
  expect(mayBeUnwritten("pg_xact/0001", 8, control)).toBe(true);
  expect(mayBeUnwritten("pg_xact/0001", 8, { ...control, nextXid: 32_768 * 40 + 700 })).toBe(false);
  expect(mayBeUnwritten("pg_xact/0001", 9, control)).toBe(true);
  expect(mayBeUnwritten("pg_multixact/offsets/0000", 3, control)).toBe(false);
  expect(mayBeUnwritten("pg_multixact/offsets/0000", 4, control)).toBe(true);
  expect(mayBeUnwritten("pg_multixact/members/0000", 1, control)).toBe(false);
  expect(mayBeUnwritten("pg_multixact/members/0000", 2, control)).toBe(true);
  // Behind 2^32 transactions are counted anew.
  expect(mayBeUnwritten("pg_xact/0FFF", 31, { ...control, nextXid: 5000 })).toBe(false);
  expect(mayBeUnwritten("pg_xact/0000", 0, { ...control, nextXid: 0xffff_f000 })).toBe(true);
  expect(mayBeUnwritten("pg_multixact/members/14077", 13, { ...control, nextMultiMember: 5000 })).toBe(false);
  // PostgreSQL 19 counts members on, and where a multixact begins takes twice the room.
  const of19 = { ...control, pgMajor: 19, nextMultiMember: 2 ** 40 };
  expect(mayBeUnwritten("pg_multixact/offsets/0000", 6, of19)).toBe(false);
  expect(mayBeUnwritten("pg_multixact/offsets/0000", 7, of19)).toBe(true);
  expect(mayBeUnwritten("pg_multixact/members/000000000000000", 2, of19)).toBe(false);
  expect(mayBeUnwritten("pg_multixact/members/00000000140782D", 1, of19)).toBe(false);
  expect(mayBeUnwritten("pg_multixact/members/00000000140782D", 2, of19)).toBe(true);
  expect(mayBeUnwritten("base/5/16384", 0, control)).toBe(false);
});
