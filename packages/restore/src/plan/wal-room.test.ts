import type { WalChain } from "@soar/repository/chain";
import { expect, test } from "vitest";
import { walRoomBytes } from "./wal-room.ts";

const MIB = 2 ** 20;
const SEGMENT = 16 * MIB;

/** Of so many segments up to the target, and a hundred behind it. */
function room(segments: number, settings: Readonly<Record<string, string>>): number {
  const chain = {
    segmentSize: SEGMENT,
    segments: Array.from({ length: segments + 100 }, (_, index) => ({ index })),
  } as unknown as WalChain;
  return walRoomBytes({ chain, stopLsn: BigInt(segments * SEGMENT - 1), settings });
}

test("a restore with little WAL needs room for it, for one segment ahead, and for those of the new timeline", () => {
  expect(room(2, {})).toBe((2 + 1 + 3) * SEGMENT);
});

test("of much WAL recovery keeps no more than between two of its restart points", () => {
  const kept = 2 * 1024 * MIB;
  expect(room(10_000, { max_wal_size: "1GB" })).toBe(kept + Math.ceil(kept / 3) + 3 * SEGMENT);
  expect(room(10_000, { max_wal_size: "1024MB" })).toBe(room(10_000, {}));
  expect(room(10_000, { max_wal_size: "64MB" })).toBeLessThan(250 * MIB);
  expect(room(10_000, { max_wal_size: "64GB" })).toBeGreaterThan(128 * 1024 * MIB);
});
