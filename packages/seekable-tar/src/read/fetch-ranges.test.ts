import { MemoryBudget } from "@soar/task-pool";
import { expect, test } from "vitest";
import { collect } from "../../test/memory-store.ts";
import { fetchRanges, memoryFor, type WantedMember } from "./fetch-ranges.ts";

const KIB = 1024;

/** Members that lie side by side. */
function* members(count: number, storedLength: number, plainLength: number, runs?: number): Generator<WantedMember> {
  for (let at = 0; at < count; at += 1)
    yield {
      location: {
        object: "o",
        codec: "gzip",
        offset: at * storedLength,
        storedLength,
        plainLength,
        sha256: Buffer.alloc(32),
        crc32c: 0,
        storedDigest: Buffer.alloc(8),
      },
      ...(runs === undefined ? {} : { runs: Array.from({ length: runs }, () => at) }),
    };
}

const fetch = async (_object: string, _offset: number, length: number): Promise<Buffer> =>
  await Promise.resolve(Buffer.alloc(length));

test("members that are stored in fifty bytes each, as those of zeros are, come a thousand at a time", async () => {
  const wanted = members(2_500, 50, 16 * KIB);
  let offset = 0;
  const counts: number[] = [];
  for await (const range of fetchRanges(wanted, new MemoryBudget(Number.MAX_SAFE_INTEGER), { fetch })) {
    expect(range.offset).toBe(offset);
    expect(range.bytes.length).toBe(range.members.length * 50);
    offset += range.bytes.length;
    counts.push(range.members.length);
  }
  expect(counts).toEqual([1024, 1024, 452]);
});

test.each([
  ["their bytes", members(6, 100 * KIB, 1), 100 * KIB + 1 + KIB],
  ["the largest member that is opened of each", members(6, 1, 100 * KIB), 1 + 100 * KIB + KIB],
  ["what describes them", members(6, 1, 1, 99), 2 + 100 * KIB],
])("ranges in work hold no more than the budget, of which they take %s", async (_, wanted, weight) => {
  let reading = 0;
  const budget = new MemoryBudget(2.5 * weight);
  const counted = async (...args: Parameters<typeof fetch>): Promise<Buffer> => {
    reading += 1;
    return await fetch(...args);
  };
  const ranges = fetchRanges(wanted, budget, { fetch: counted, rangeBytes: 1, parallel: 6 });
  const first = await ranges.next();
  const second = await ranges.next();
  const third = ranges.next();
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(reading).toBe(2);
  first.value?.share[Symbol.dispose]();
  for (const range of [second, await third]) range.value?.share[Symbol.dispose]();
  for await (const { share } of ranges) share[Symbol.dispose]();
  expect(reading).toBe(6);
});

test("every connection has a range on its way with two more in work, until there are very many", () => {
  const range = 5 * KIB * KIB;
  for (const parallel of [1, 4, 9]) expect(memoryFor({ parallel }) / range).toBeGreaterThanOrEqual(parallel + 2);
  expect(memoryFor({})).toBe(memoryFor({ parallel: 4 }));
  expect(memoryFor({ parallel: 100 })).toBe(64 * KIB * KIB);
});

test("a member that is larger than the budget is read alone", async () => {
  const ranges = fetchRanges(members(3, 1000 * KIB, 1000 * KIB), new MemoryBudget(KIB), { fetch });
  for (let at = 0; at < 3; at += 1) (await ranges.next()).value?.share[Symbol.dispose]();
  expect(await collect(ranges)).toEqual([]);
});
