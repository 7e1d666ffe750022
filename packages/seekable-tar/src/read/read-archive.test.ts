import { hasErrorCode } from "@soar/errors";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeContent, makeTar, type MadeEntry, tarArbitrary } from "../../test/make-tar.ts";
import { type Archived, archiveInto, collect, MemoryStore } from "../../test/memory-store.ts";
import { CODECS } from "../codec/codec.ts";
import { type CodecPool, createCodecPool } from "../codec-pool.ts";
import { DigestIndex } from "../table/digest-index.ts";
import type { SeekArchive } from "../table/seek-table.ts";
import { findEntry, readArchive, readEntry } from "./read-archive.ts";

const SMALL = { chunkBytes: 4096, bundleBytes: 8192, largeFileBytes: 8192 };
let pool: CodecPool;
beforeAll(() => void (pool = createCodecPool({ workers: 2 })));
afterAll(async () => await pool.close());

const joined = async (source: AsyncIterable<Buffer>): Promise<Buffer> => Buffer.concat(await collect(source));
const archiveOf = ({ table }: Archived): SeekArchive => {
  const [archive] = table.archives;
  if (archive === undefined) throw new Error("the table has no archive");
  return archive;
};
const files = (count: number): MadeEntry[] =>
  Array.from({ length: count }, (_, index) => ({
    path: `base/${index}`,
    type: "File",
    content: makeContent(index, (index * 977) % 40_000),
  }));

test.each(CODECS)("%s: gives back the tar stream, every entry and any range of it", async (codec) => {
  await fc.assert(
    fc.asyncProperty(
      tarArbitrary([4096, 8192, 30_000]),
      fc.integer({ min: 1, max: 20_000 }),
      fc.integer({ min: 1, max: 4 }),
      fc.nat(),
      fc.nat(),
      async (made, rangeBytes, parallel, from, count) => {
        const tar = makeTar(made);
        const store = new MemoryStore();
        const archive = archiveOf(
          await archiveInto(store, [{ name: "data", objectKey: "o", source: [tar] }], { codec, pool, ...SMALL }),
        );
        const options = { fetch: store.fetch, pool, rangeBytes, parallel };
        expect(await joined(readArchive(archive, options))).toEqual(tar);
        for (const { path, content } of made) {
          const entry = findEntry(archive, path);
          if (entry === undefined) throw new Error(`no entry ${path}`);
          expect(await joined(readEntry(archive, entry, options))).toEqual(content);
          const offset = from % (content.length + 1);
          const length = count % (content.length - offset + 1);
          expect(await joined(readEntry(archive, entry, { ...options, offset, length }))).toEqual(
            content.subarray(offset, offset + length),
          );
        }
      },
    ),
    { numRuns: 20 },
  );
});

test("reads neighbours together, and of a range only the members that hold it", async () => {
  const store = new MemoryStore();
  const archive = archiveOf(
    await archiveInto(
      store,
      [
        {
          name: "data",
          objectKey: "o",
          source: [makeTar([{ path: "large", type: "File", content: makeContent(1, 100_000) }])],
        },
      ],
      { codec: "none", pool, ...SMALL },
    ),
  );
  await joined(readArchive(archive, { fetch: store.fetch, pool, rangeBytes: 40_000 }));
  expect(store.fetched.length).toBeLessThanOrEqual(4);
  store.fetched.length = 0;
  const large = findEntry(archive, "large");
  if (large === undefined) throw new Error("no entry");
  await joined(readEntry(archive, large, { fetch: store.fetch, pool, offset: 5000, length: 4000 }));
  expect(store.fetched.map(({ length }) => length)).toEqual([8192]);
  await expect(
    joined(readEntry(archive, large, { fetch: store.fetch, pool, offset: 100_000, length: 1 })),
  ).rejects.toThrow(RangeError);
});

test("memory that holds a fetched range and nothing else is given back, other memory is left alone", async () => {
  const store = new MemoryStore();
  const tar = makeTar([{ path: "large", type: "File", content: makeContent(1, 1_000_000) }]);
  const archive = archiveOf(
    await archiveInto(store, [{ name: "data", objectKey: "o", source: [tar] }], { codec: "none", pool, ...SMALL }),
  );
  for (const [spare, isGivenBack] of [
    [0, true],
    [1, false],
  ] as const) {
    const fetched: Buffer[] = [];
    const fetch = async (object: string, offset: number, length: number): Promise<Buffer> => {
      const bytes = Buffer.allocUnsafeSlow(length + spare).subarray(0, length);
      (await store.fetch(object, offset, length)).copy(bytes);
      fetched.push(bytes);
      return bytes;
    };
    expect(await joined(readArchive(archive, { fetch, pool, rangeBytes: 200_000 }))).toEqual(tar);
    expect(fetched.length).toBeGreaterThan(2);
    expect(fetched.map(({ length }) => length === 0)).toEqual(fetched.map(() => isGivenBack));
  }
});

test("an incremental reads like a full one, from several objects", async () => {
  const store = new MemoryStore();
  const before = files(40);
  const full = await archiveInto(store, [{ name: "data", objectKey: "1", source: [makeTar(before)] }], {
    codec: "gzip",
    pool,
    ...SMALL,
  });
  const index = new DigestIndex();
  index.addTable(full.table);
  const after = before.map((file, number) =>
    number % 7 === 3 ? { ...file, content: makeContent(number + 500, file.content.length) } : file,
  );
  const incremental = await archiveInto(store, [{ name: "data", objectKey: "2", source: [makeTar(after)] }], {
    codec: "zstd",
    pool,
    ...SMALL,
    resolveExisting: (digest, length) => index.find(digest, length),
  });
  expect(await joined(readArchive(archiveOf(incremental), { fetch: store.fetch, pool }))).toEqual(makeTar(after));
  expect(new Set(store.fetched.map(({ object }) => object))).toEqual(new Set(["1", "2"]));
});

test.each(CODECS)("%s: random damage of an object is found, named, and never read as data", async (codec) => {
  const store = new MemoryStore();
  const tar = makeTar(files(12));
  const archive = archiveOf(
    await archiveInto(store, [{ name: "data", objectKey: "base/2025-01-05/backup", source: [tar] }], {
      codec,
      pool,
      ...SMALL,
    }),
  );
  const whole = store.bytes("base/2025-01-05/backup");
  const damage = fc.oneof(
    fc.record({ kind: fc.constant("flip"), at: fc.nat(), bits: fc.integer({ min: 1, max: 255 }) }),
    fc.record({ kind: fc.constant("cut"), at: fc.nat(), bits: fc.constant(0) }),
    fc.record({ kind: fc.constant("insert"), at: fc.nat(), bits: fc.nat(255) }),
    fc.record({ kind: fc.constant("zero"), at: fc.nat(), bits: fc.integer({ min: 1, max: 5000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(damage, async ({ kind, at, bits }) => {
      const place = at % whole.length;
      const damaged = Buffer.from(whole);
      if (kind === "flip") damaged[place] = (damaged[place] ?? 0) ^ bits;
      if (kind === "zero") damaged.fill(0, place, Math.min(whole.length, place + bits));
      const bytes =
        kind === "cut"
          ? whole.subarray(0, place)
          : kind === "insert"
            ? Buffer.concat([whole.subarray(0, place), Buffer.from([bits]), whole.subarray(place)])
            : damaged;
      store.objects.set("base/2025-01-05/backup", bytes);
      const outcome = await joined(readArchive(archive, { fetch: store.fetch, pool, rangeBytes: 10_000 })).catch(
        (error: unknown) => error,
      );
      if (Buffer.isBuffer(outcome)) {
        // Informational bits of a header may change nothing.
        expect(outcome.equals(tar)).toBe(true);
      } else {
        expect(hasErrorCode(outcome, "ARCHIVE_DAMAGED"), String(outcome)).toBe(true);
        expect(String(outcome)).toMatch(/unable to read 'base\/2025-01-05\/backup' from byte \d+ to \d+: /);
      }
    }),
    { numRuns: 120 },
  );
});

test("what fetch rejects with comes through", async () => {
  const store = new MemoryStore();
  const archive = archiveOf(
    await archiveInto(store, [{ name: "data", objectKey: "o", source: [makeTar(files(5))] }], {
      codec: "zstd",
      pool,
      ...SMALL,
    }),
  );
  const fetch = async (): Promise<Buffer> => await Promise.reject(new Error("no route to the store"));
  await expect(joined(readArchive(archive, { fetch, pool }))).rejects.toThrow("no route to the store");
});

test("stops when its signal aborts, and tells fetch", async () => {
  const store = new MemoryStore();
  const archive = archiveOf(
    await archiveInto(store, [{ name: "data", objectKey: "o", source: [makeTar(files(30))] }], {
      codec: "zstd",
      pool,
      ...SMALL,
    }),
  );
  const controller = new AbortController();
  const fetch = async (_object: string, _offset: number, _length: number, signal: AbortSignal): Promise<Buffer> =>
    await new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("told to stop")));
      controller.abort();
    });
  const failure = await joined(readArchive(archive, { fetch, pool, signal: controller.signal })).catch(
    (error: unknown) => error,
  );
  expect(hasErrorCode(failure, "ABORTED") || String(failure).includes("told to stop")).toBe(true);
});
