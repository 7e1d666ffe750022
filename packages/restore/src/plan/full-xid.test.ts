import { expect, test } from "vitest";
import { requireEpoch, xidInRecords } from "./full-xid.ts";

const EPOCH = 2 ** 32;
const target = (xid: number) => ({ kind: "xid", xid, inclusive: true }) as const;

test("records carry the number in the epoch", () => {
  expect([700, EPOCH + 700, 9 * EPOCH + 3].map(xidInRecords)).toEqual([700, 700, 3]);
});

test.each([
  ["without its epoch", 700, 3n * 2n ** 32n + 800n],
  ["before what came next", 3 * EPOCH + 700, 3n * 2n ** 32n + 800n],
  ["behind what came next", 3 * EPOCH + 900, 3n * 2n ** 32n + 800n],
  ["from before the epoch ended", 3 * EPOCH - 5, 3n * 2n ** 32n + 800n],
  ["from behind its end", 3 * EPOCH + 5, 3n * 2n ** 32n - 800n],
  ["where no checkpoint was seen", 3 * EPOCH, undefined],
])("a transaction is the one that is meant: %s", (_what, xid, nextXid) => {
  expect(() => requireEpoch(target(xid), nextXid)).not.toThrow();
});

test("one of another epoch is refused, which recovery would stop at", () => {
  expect(() => requireEpoch(target(4 * EPOCH + 700), 3n * 2n ** 32n + 800n)).toThrow(
    expect.objectContaining({
      code: "TARGET_INVALID",
      message: `unable to restore to transaction ${4 * EPOCH + 700}: the one with this number in the WAL is ${3 * EPOCH + 700}`,
    }),
  );
  expect(() => requireEpoch({ kind: "latest" }, 5n)).not.toThrow();
});
