import { expect, test } from "vitest";
import { collect } from "../../test/memory-store.ts";
import { fetchRanges, type WantedMember } from "./fetch-ranges.ts";

const STORED = 50;

/** Members that lie side by side, as small as those of zeros are. */
function* tinyMembers(count: number, runs?: number): Generator<WantedMember> {
  for (let at = 0; at < count; at += 1)
    yield {
      location: {
        object: "o",
        codec: "gzip",
        offset: at * STORED,
        storedLength: STORED,
        plainLength: 16_384,
        sha256: Buffer.alloc(32),
        crc32c: 0,
        storedDigest: Buffer.alloc(8),
      },
      ...(runs === undefined ? {} : { runs: Array.from({ length: runs }, () => at) }),
    };
}

const fetch = async (_object: string, _offset: number, length: number): Promise<Buffer> =>
  await Promise.resolve(Buffer.alloc(length));

test.each([
  ["a thousand members", tinyMembers(2_500), [1024, 1024, 452]],
  ["two thousand runs of their bytes", tinyMembers(25, 200), [10, 10, 5]],
  ["one member, whatever its runs are", tinyMembers(2, 5_000), [1, 1]],
])("no range has more than %s", async (_, members, expected) => {
  const ranges = await collect(fetchRanges(members, { fetch }));
  expect(ranges.map((range) => range.members.length)).toEqual(expected);
  expect(ranges.map(({ bytes }) => bytes.length)).toEqual(expected.map((count) => count * STORED));
  let offset = 0;
  for (const range of ranges) {
    expect(range.offset).toBe(offset);
    offset += range.bytes.length;
  }
});
