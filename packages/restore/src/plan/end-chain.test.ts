import { formatWalSegment, type Lsn } from "@soar/pg-tools";
import type { ChainSegment, WalChain } from "@soar/repository/chain";
import { expect, test } from "vitest";
import { endChain } from "./end-chain.ts";

const SIZE = 2 ** 20;
const lsn = (index: number, offset = 0): Lsn => BigInt(index * SIZE + offset);
const segment = (index: number, cutLsn?: Lsn): ChainSegment => {
  const name = formatWalSegment({ timeline: 1, index }, SIZE);
  return {
    index,
    timeline: 1,
    name,
    object: { name, key: `wal/${name}`, codec: "none", size: SIZE },
    cutLsn,
    tail: undefined,
  };
};
const chain = (...segments: ChainSegment[]): WalChain => ({
  history: { timeline: 1, entries: [] },
  segmentSize: SIZE,
  segments,
  endIndex: (segments.at(-1)?.index ?? 0) + 1,
  holes: [],
  lastIndex: segments.at(-1)?.index,
});

test.each<[string, WalChain, Lsn, WalChain]>([
  [
    "in the middle of a segment, with zeros behind it",
    chain(segment(4), segment(5), segment(6)),
    lsn(5, 40),
    chain(segment(4), segment(5, lsn(5, 40))),
  ],
  [
    "at the end of a segment, of which nothing is lost",
    chain(segment(4), segment(5), segment(6)),
    lsn(6),
    chain(segment(4), segment(5)),
  ],
  ["where it ends anyway", chain(segment(4), segment(5)), lsn(6), chain(segment(4), segment(5))],
  [
    "before the place where it was cut already",
    chain(segment(4), segment(5, lsn(5, 100))),
    lsn(5, 40),
    chain(segment(4), segment(5, lsn(5, 40))),
  ],
  [
    "no later than it was cut already",
    chain(segment(4), segment(5, lsn(5, 100))),
    lsn(5, 200),
    chain(segment(4), segment(5, lsn(5, 100))),
  ],
])("a chain ends %s", (_, given, stop, expected) => {
  expect(endChain(given, stop)).toEqual(expected);
});
