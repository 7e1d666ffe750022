import { createMemoryStore } from "@soar/storage";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SEGMENT_SIZE, segmentName, sourceOf, walBytes } from "../../test/wal-samples.ts";
import { putWalFile } from "../wal/put-wal.ts";
import { readChainSegment } from "./read-chain-segment.ts";

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
