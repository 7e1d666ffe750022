import { createHash } from "node:crypto";
import { formatWalSegment, lsnOfSegmentIndex, type TimelineHistory } from "@soar/pg-tools";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { beforeEach, describe, expect, test } from "vitest";
import { appendTail } from "./chain-tail.ts";
import { putWalFile } from "../wal/put-wal.ts";
import { readChainSegment } from "./read-chain-segment.ts";
import { putTailPiece, removeTail } from "../tail/tail-pieces.ts";
import { readWalChain, type ChainSegment } from "./wal-chain.ts";

const SIZE = 1024 * 1024;
const first: TimelineHistory = { timeline: 1, entries: [] };
const name = (timeline: number, index: number) => formatWalSegment({ timeline, index }, SIZE);
/** The bytes of a segment: no two segments or timelines share them. */
const content = (timeline: number, index: number) => Buffer.alloc(SIZE, `${timeline}/${index} `);
const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore();
});

async function archive(timeline: number, index: number): Promise<void> {
  const bytes = content(timeline, index);
  const source = {
    name: name(timeline, index),
    size: SIZE,
    sha256: digest(bytes),
    async *open() {
      yield bytes;
    },
  };
  await putWalFile(store, source, { codec: "zstd" });
}

async function ship(timeline: number, index: number, from: number, to: number): Promise<void> {
  const bytes = content(timeline, index);
  await putTailPiece(store, {
    segmentName: name(timeline, index),
    from,
    bytes: bytes.subarray(from, to),
    sha256: digest(bytes.subarray(0, to)),
    systemIdentifier: "1",
  });
}

const chainOf = async (history: TimelineHistory, from: number) =>
  appendTail(store, await readWalChain(store, history, SIZE, from));
const brief = (segments: readonly ChainSegment[]) =>
  segments.map((segment) => `${segment.name}${segment.tail === undefined ? "" : ` tail ${segment.tail.size}`}`);

async function read(segment: ChainSegment | undefined): Promise<Buffer> {
  if (segment === undefined) throw new Error("there is no such segment");
  const parts: Buffer[] = [];
  for await (const part of readChainSegment(store, segment, SIZE)) parts.push(part);
  return Buffer.concat(parts);
}

const padded = (bytes: Buffer, size: number) => Buffer.concat([bytes.subarray(0, size), Buffer.alloc(SIZE - size)]);

describe("a chain with a tail", () => {
  test("goes on with what was shipped of the unfinished segment, padded with zeros", async () => {
    await archive(1, 2);
    await ship(1, 3, 0, 1000);
    await ship(1, 3, 1000, 5000);
    const chain = await chainOf(first, 2);
    expect(brief(chain.segments)).toEqual([name(1, 2), `${name(1, 3)} tail 5000`]);
    expect(chain).toMatchObject({ endIndex: 4, lastIndex: 3, holes: [] });
    expect((await read(chain.segments[1])).equals(padded(content(1, 3), 5000))).toBe(true);
  });

  test("crosses segments that were shipped whole and never archived", async () => {
    await archive(1, 2);
    await ship(1, 3, 0, SIZE);
    await ship(1, 4, 0, 10);
    expect(brief((await chainOf(first, 2)).segments)).toEqual([
      name(1, 2),
      `${name(1, 3)} tail ${SIZE}`,
      `${name(1, 4)} tail 10`,
    ]);
  });

  test("uses nothing behind a segment that was shipped in part, behind a hole, or of an archived segment", async () => {
    await archive(1, 2);
    await ship(1, 2, 0, 10);
    await ship(1, 3, 0, 10);
    await ship(1, 4, 0, 10);
    expect(brief((await chainOf(first, 2)).segments)).toEqual([name(1, 2), `${name(1, 3)} tail 10`]);
    await archive(1, 5);
    expect(brief((await chainOf(first, 2)).segments)).toEqual([name(1, 2)]);
  });

  test("never takes the tail of a timeline that the lineage has left", async () => {
    const history: TimelineHistory = {
      timeline: 2,
      entries: [{ timeline: 1, switchLsn: lsnOfSegmentIndex(3, SIZE) + 500n, reason: "" }],
    };
    await archive(1, 2);
    await ship(1, 3, 0, 1000);
    expect(brief((await chainOf(history, 2)).segments)).toEqual([name(1, 2)]);
    await ship(2, 3, 0, 800);
    expect(brief((await chainOf(history, 2)).segments)).toEqual([name(1, 2), `${name(2, 3)} tail 800`]);
  });

  test("prefers the timeline's own tail to its parent's copy when it goes further", async () => {
    const history: TimelineHistory = {
      timeline: 2,
      entries: [{ timeline: 1, switchLsn: lsnOfSegmentIndex(3, SIZE) + 500n, reason: "" }],
    };
    await archive(1, 2);
    await archive(1, 3);
    await ship(2, 3, 0, 400);
    expect((await chainOf(history, 2)).segments.at(-1)).toMatchObject({
      object: { name: name(1, 3) },
      cutLsn: lsnOfSegmentIndex(3, SIZE) + 500n,
    });
    await ship(2, 3, 400, 900);
    expect(brief((await chainOf(history, 2)).segments)).toEqual([name(1, 2), `${name(2, 3)} tail 900`]);
  });
});

describe("a frozen tail", () => {
  test("stays what it was while more is shipped, and when the whole segment is archived instead", async () => {
    await archive(1, 2);
    await ship(1, 3, 0, 1000);
    const [, tail] = (await chainOf(first, 2)).segments;
    const expected = padded(content(1, 3), 1000);
    await ship(1, 3, 1000, 2000);
    expect((await read(tail)).equals(expected)).toBe(true);
    await archive(1, 3);
    await removeTail(store, name(1, 3));
    expect((await read(tail)).equals(expected)).toBe(true);
  });

  test("is missed, not replaced, when its bytes are gone", async () => {
    await archive(1, 2);
    await ship(1, 3, 0, 1000);
    const [, tail] = (await chainOf(first, 2)).segments;
    await removeTail(store, name(1, 3));
    await expect(read(tail)).rejects.toMatchObject({ code: "WAL_MISSING" });
  });
});
