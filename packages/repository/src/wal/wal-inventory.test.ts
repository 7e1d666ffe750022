import { createMemoryStore, type ListOptions, type ObjectStore, type StoredObject } from "@soar/storage";
import { beforeEach, describe, expect, test } from "vitest";
import { SEGMENT_SIZE, segmentName } from "../../test/wal-samples.ts";
import { lastSegment, listTimelines, listTimelineSegments } from "./wal-inventory.ts";

/** Counts what a listing costs: calls, and objects that were looked at. */
function counting(store: ObjectStore): { store: ObjectStore; calls: ListOptions[]; seen: string[] } {
  const calls: ListOptions[] = [];
  const seen: string[] = [];
  async function* list(prefix: string, options: ListOptions = {}): AsyncGenerator<StoredObject> {
    calls.push(options);
    for await (const object of store.list(prefix, options)) {
      seen.push(object.key);
      yield object;
    }
  }
  return { store: { ...store, list }, calls, seen };
}

let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore({ name: "m" });
});
const put = (...names: string[]) => Promise.all(names.map((name) => store.put(`wal/${name}`, Buffer.of(1))));

describe("the segments of a timeline", () => {
  test("are those of this timeline only, and full ones only", async () => {
    await put(
      `${segmentName(1)}.zst`,
      `${segmentName(2)}.gz`,
      segmentName(3),
      `${segmentName(4)}.partial.zst`,
      `${segmentName(2)}.00000028.backup`,
      `${segmentName(2, 2)}.zst`,
      "00000002.history",
    );
    const found = await listTimelineSegments(store, 1, SEGMENT_SIZE);
    expect([...found.segments].map(([index, objects]) => [index, objects.map(({ codec }) => codec)])).toEqual([
      [1, ["zstd"]],
      [2, ["gzip"]],
      [3, ["none"]],
    ]);
    expect(lastSegment(found)).toEqual({ timeline: 1, index: 3 });
    expect(lastSegment(await listTimelineSegments(store, 9, SEGMENT_SIZE))).toBeUndefined();
  });

  test("have a last one, in whatever order they are known", () => {
    const segments = new Map([7, 9, 3].map((index) => [index, []] as const));
    expect(lastSegment({ timeline: 2, segments })).toEqual({ timeline: 2, index: 9 });
  });

  test("hold every object of a segment that is there in several codecs", async () => {
    await put(segmentName(3), `${segmentName(3)}.gz`, `${segmentName(3)}.zst`);
    expect((await listTimelineSegments(store, 1, SEGMENT_SIZE)).segments.get(3)?.map(({ codec }) => codec)).toEqual([
      "none",
      "gzip",
      "zstd",
    ]);
  });

  test("of a large archive are listed from the wanted one on, nothing before it is looked at", async () => {
    await put(...Array.from({ length: 1200 }, (_, index) => `${segmentName(index)}.zst`), `${segmentName(5, 2)}.zst`);
    for (const fromIndex of [0, 1, 1100, 1199, 1200]) {
      const { store: counted, calls, seen } = counting(store);
      const { segments } = await listTimelineSegments(counted, 1, SEGMENT_SIZE, { fromIndex });
      expect([...segments.keys()]).toEqual(Array.from({ length: 1200 - fromIndex }, (_, offset) => fromIndex + offset));
      expect(seen).toHaveLength(1200 - fromIndex);
      expect(calls).toHaveLength(1);
    }
  });

  test.each([
    ["a name that PostgreSQL does not give", "00000001-notes.txt", "REPOSITORY_DAMAGED"],
    [
      "a segment number that this segment size does not have",
      `${segmentName(3).slice(0, 20)}FFFF`,
      "REPOSITORY_DAMAGED",
    ],
    ["an encrypted segment", `${segmentName(3)}.zst.age`, "REPOSITORY_DAMAGED"],
  ])("do not pass over %s in silence", async (_, name, code) => {
    await put(name);
    await expect(listTimelineSegments(store, 1, SEGMENT_SIZE)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`'memory:m/wal/${name}'`),
    });
  });
});

describe("the timelines", () => {
  test("are found with one listing each, however many segments there are", async () => {
    await put(
      ...[1, 2, 11].flatMap((timeline) =>
        Array.from({ length: 300 }, (_, index) => `${segmentName(index, timeline)}.zst`),
      ),
      "00000002.history",
      "0000000B.history",
      "0000000C.history",
    );
    const { store: counted, calls, seen } = counting(store);
    expect(await listTimelines(counted)).toEqual([1, 2, 11, 12]);
    expect(await listTimelines(store, { after: 2 })).toEqual([11, 12]);
    expect(calls).toHaveLength(5);
    expect(seen).toHaveLength(4);
  });

  test("are none in an empty repository", async () => {
    expect(await listTimelines(store)).toEqual([]);
  });

  test("are not guessed beside a foreign object", async () => {
    await put("README.txt");
    await expect(listTimelines(store)).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
      message: "'memory:m/wal/README.txt' is no WAL file that this version can read",
    });
  });
});
