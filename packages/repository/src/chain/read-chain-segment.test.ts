import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStore } from "@soar/storage";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { SEGMENT_SIZE, segmentName, sourceOf, walBytes } from "../../test/wal-samples.ts";
import { sha256Hex } from "../records/digest.ts";
import { putWalFile } from "../wal/put-wal.ts";
import { readChainSegment, scanChainSegment } from "./read-chain-segment.ts";

// More than one chunk of a bare object's body.
const bytes = walBytes(1, 150_000);
const start = BigInt(7 * SEGMENT_SIZE);

test.each(["zstd", "gzip", "none"] as const)(
  "a %s segment is read whole, or with zeros behind the LSN at which it ends to be valid",
  async (codec) => {
    const store = createMemoryStore();
    const { object } = await putWalFile(store, sourceOf(segmentName(7), bytes), { codec });
    const read = async (cutLsn: bigint | undefined) => {
      const pieces: Buffer[] = [];
      for await (const piece of readChainSegment(
        store,
        { index: 7, timeline: 2, name: segmentName(7, 2), object, cutLsn },
        SEGMENT_SIZE,
      ))
        pieces.push(piece);
      return Buffer.concat(pieces);
    };
    expect(await read(undefined)).toEqual(bytes);
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.nat(200_000), fc.constantFrom(0, 65_535, 65_536, 65_537, 150_000)), async (cut) => {
        const valid = Math.min(cut, bytes.length);
        expect(await read(start + BigInt(cut))).toEqual(
          Buffer.concat([bytes.subarray(0, valid), Buffer.alloc(bytes.length - valid)]),
        );
      }),
      { numRuns: 30 },
    );
  },
);

test.each(["zstd", "none"] as const)(
  "a %s object that holds more than a segment is not read to its end",
  async (codec) => {
    const store = createMemoryStore();
    const { object } = await putWalFile(store, sourceOf(segmentName(7), walBytes(1, 3 * SEGMENT_SIZE)), { codec });
    const segment = { index: 7, timeline: 1, name: segmentName(7), object, cutLsn: undefined };
    let read = 0;
    await expect(
      (async () => {
        for await (const { length } of readChainSegment(store, segment, SEGMENT_SIZE)) read += length;
      })(),
    ).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
      message: expect.stringContaining("holds more than") as string,
    });
    expect(read).toBeLessThanOrEqual(SEGMENT_SIZE);
  },
);

test.each([
  ["zstd", 0],
  ["gzip", 0],
  ["none", bytes.length],
] as const)(
  "of a %s segment that is scanned, what was unpacked is given back behind the reader",
  async (codec, left) => {
    const store = createMemoryStore();
    const { object } = await putWalFile(store, sourceOf(segmentName(7), bytes), { codec });
    const segment = { index: 7, timeline: 1, name: segmentName(7), object, cutLsn: undefined };
    const hash = createHash("sha256");
    const pieces: Buffer[] = [];
    for await (const piece of scanChainSegment(store, segment, SEGMENT_SIZE)) {
      hash.update(piece);
      pieces.push(piece);
    }
    expect(hash.digest("hex")).toBe(sha256Hex(bytes));
    expect(pieces.reduce((sum, { length }) => sum + length, 0)).toBe(left);
  },
);

describe("a segment that lies on this machine only", () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-local-segment-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const path = join(directory, segmentName(7));
  // More than one chunk of a file.
  const local = walBytes(1, 2_500_000);
  writeFileSync(path, local);

  const read = async (file: string, options: { cutLsn?: bigint; signal?: AbortSignal } = {}): Promise<Buffer> => {
    const object = { name: segmentName(7), key: "", codec: "none" as const, size: 0, file };
    const segment = { index: 7, timeline: 1, name: segmentName(7), object, cutLsn: options.cutLsn };
    const pieces: Buffer[] = [];
    for await (const piece of readChainSegment(createMemoryStore(), segment, SEGMENT_SIZE, { signal: options.signal }))
      pieces.push(piece);
    return Buffer.concat(pieces);
  };

  test("is read from its file, whole or up to its cut, with and without a signal", async () => {
    expect((await read(path)).equals(local)).toBe(true);
    const cut = Buffer.concat([local.subarray(0, 2_000_000), Buffer.alloc(500_000)]);
    const { signal } = new AbortController();
    expect((await read(path, { cutLsn: start + 2_000_000n, signal })).equals(cut)).toBe(true);
  });

  test("that is gone is told as a file that nothing in the bucket replaces", async () => {
    await expect(read(join(directory, "gone"))).rejects.toMatchObject({
      code: "FILE_UNREADABLE",
      message: expect.stringContaining("which is not in the bucket: ENOENT"),
    });
  });

  test("is not called unreadable when the caller stopped", async () => {
    const reason = new Error("the operator stopped it");
    await expect(read(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

test("a frozen tail is missed when other bytes were archived under its name", async () => {
  const store = createMemoryStore({ name: "m" });
  const { object } = await putWalFile(store, sourceOf(segmentName(7), walBytes(2, 150_000)), { codec: "zstd" });
  const tail = { size: 1000, sha256: sha256Hex(bytes.subarray(0, 1000)) };
  const segment = { index: 7, timeline: 1, name: segmentName(7), object, cutLsn: undefined, tail };
  await expect(readChainSegment(store, segment, SEGMENT_SIZE).next()).rejects.toMatchObject({
    code: "WAL_MISSING",
    message: `the 1000 bytes of '${segmentName(7)}' that were planned are not in the bucket any more`,
  });
});
