import { hasErrorCode } from "@soar/errors";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inPieces, type MadeEntry, makeContent, makeTar, tarArbitrary } from "../../test/make-tar.ts";
import { archiveInto, collect, MemoryStore } from "../../test/memory-store.ts";
import { type CodecPool, createCodecPool } from "../codec-pool.ts";
import { CODECS, type Codec } from "../codec/codec.ts";
import { decompressMemberSync } from "../codec/member.ts";
import { DigestIndex } from "../table/digest-index.ts";
import type { SeekTable } from "../table/seek-table.ts";
import { SeekTableWriter } from "../table/seek-table-writer.ts";
import { writeSeekableTar } from "./write-seekable-tar.ts";

const SMALL = { chunkBytes: 4096, bundleBytes: 8192, largeFileBytes: 8192 };
const COMMANDS: Record<Codec, string[]> = { gzip: ["gzip", "-dc"], zstd: ["zstd", "-dcq"], none: ["cat"] };
let pool: CodecPool;
let directory: string;
beforeAll(() => {
  pool = createCodecPool({ workers: 2 });
  directory = mkdtempSync(join(tmpdir(), "soar-write-"));
});
afterAll(async () => {
  await pool.close();
  rmSync(directory, { recursive: true });
});

/** Joins what the members of every archive hold, wherever they lie. */
function joined(store: MemoryStore, table: SeekTable): Buffer[] {
  return table.archives.map(({ members }) => {
    const plains = Array.from({ length: members.length }, (_, index) => {
      const { object, codec, offset, storedLength, plainLength } = members.get(index);
      return decompressMemberSync(codec, store.bytes(object).subarray(offset, offset + storedLength), plainLength);
    });
    return Buffer.concat(plains);
  });
}

const files = (count: number, seed = 0): MadeEntry[] =>
  Array.from({ length: count }, (_, index) => ({
    path: `base/${1 + (index % 3)}/${index}`,
    type: "File",
    content: makeContent(seed + index, (index * 977) % 40_000),
  }));

test.each(CODECS)(
  "%s: the object is an ordinary archive for the plain tools, and the members are what the table says",
  async (codec) => {
    await fc.assert(
      fc.asyncProperty(tarArbitrary([4096, 8192, 30_000]), async (made) => {
        const tar = makeTar(made);
        const store = new MemoryStore();
        const { table, summaries } = await archiveInto(
          store,
          [{ name: "data", objectKey: "data.tar", source: inPieces(tar, [3000]) }],
          { codec, pool, ...SMALL, frameBytes: 500 },
        );
        const stored = store.bytes("data.tar");
        const [command = "", ...args] = COMMANDS[codec];
        expect(execFileSync(command, args, { input: stored })).toEqual(tar);
        expect(joined(store, table)).toEqual([tar]);
        expect(table.archives[0]?.plainBytes).toBe(tar.length);
        const storedSha256 = createHash("sha256").update(stored).digest("hex");
        expect(summaries[0]).toMatchObject({
          plainBytes: tar.length,
          newPlainBytes: tar.length,
          storedBytes: stored.length,
          entries: made.length,
          objects: [{ key: "data.tar", storedBytes: stored.length, storedSha256 }],
        });
      }),
      { numRuns: 15 },
    );
  },
);

test("an archive that is too large for one object goes on in others, which are the same archive one behind the other", async () => {
  const most = fc.integer({ min: 1, max: 40_000 });
  await fc.assert(
    fc.asyncProperty(
      tarArbitrary([4096, 8192, 30_000]),
      most,
      fc.constantFrom(...CODECS),
      async (made, bytes, codec) => {
        const tar = makeTar(made);
        const [store, whole] = [new MemoryStore(), new MemoryStore()];
        const further = { bytes, keyOf: (number: number) => `data-${number}.tar` };
        const source = [{ name: "data", objectKey: "data.tar", source: [tar] }];
        const { table, summaries } = await archiveInto(store, source, { codec, pool, ...SMALL, further });
        await archiveInto(whole, source, { codec, pool, ...SMALL });
        const keys = [...store.objects.keys()];
        expect(keys).toEqual(keys.map((_, at) => (at === 0 ? "data.tar" : `data-${at + 1}.tar`)));
        expect(Buffer.concat([...store.objects.values()])).toEqual(whole.bytes("data.tar"));
        expect(joined(store, table)).toEqual([tar]);
        const sizes = Array.from(store.objects.values(), ({ length }) => length);
        expect(summaries[0]?.objects.map(({ storedBytes }) => storedBytes)).toEqual(sizes);
        // Only a single member may be larger than an object is to be.
        const { members } = table.archives[0] ?? { members: undefined };
        const places = Array.from({ length: members?.length ?? 0 }, (_, index) => members?.get(index));
        for (const [key, { length }] of store.objects)
          if (length > bytes) expect(places.filter((place) => place?.object === key)).toHaveLength(1);
      },
    ),
    { numRuns: 15 },
  );
});

test("tar lists and extracts the object", async () => {
  const store = new MemoryStore();
  const made = files(20);
  await archiveInto(store, [{ name: "data", objectKey: "data.tar.gz", source: [makeTar(made)] }], {
    codec: "gzip",
    pool,
    ...SMALL,
  });
  execFileSync("tar", ["xzf", "-", "-C", directory], { input: store.bytes("data.tar.gz") });
  const listed = execFileSync("tar", ["tzf", "-"], { input: store.bytes("data.tar.gz") })
    .toString()
    .trim()
    .split("\n");
  expect(listed).toEqual(made.map(({ path }) => path));
  for (const { path, content } of made) expect(execFileSync("cat", [join(directory, path)])).toEqual(content);
});

test.each(CODECS)(
  "%s: with releaseBody a piece is whole until the next one is asked for, and then its memory is free",
  async (codec) => {
    const tar = makeTar(files(40));
    const table = new SeekTableWriter({ chunkBytes: SMALL.chunkBytes, sink: () => undefined });
    const { body } = writeSeekableTar({
      source: [tar],
      name: "data",
      objectKey: "data.tar",
      codec,
      table,
      pool,
      ...SMALL,
      releaseBody: true,
    });
    const copies: Buffer[] = [];
    const pieces: Buffer[] = [];
    for await (const piece of body) {
      copies.push(Buffer.from(piece));
      pieces.push(piece);
    }
    const [command = "", ...args] = COMMANDS[codec];
    expect(execFileSync(command, args, { input: Buffer.concat(copies) })).toEqual(tar);
    expect(pieces.map(({ length }) => length)).toEqual(pieces.map(() => 0));
  },
);

test("an incremental refers to unchanged members and stores only new ones", async () => {
  const store = new MemoryStore();
  const before = files(60);
  const full = await archiveInto(store, [{ name: "data", objectKey: "1/backup.tar.gz", source: [makeTar(before)] }], {
    codec: "gzip",
    pool,
    ...SMALL,
  });
  const index = new DigestIndex();
  index.addTable(full.table);
  expect(index.size).toBeLessThanOrEqual(full.tableSummary.members);
  const after = before.map((file, number) =>
    number === 30 ? { ...file, content: Buffer.concat([makeContent(777, 4096), file.content.subarray(4096)]) } : file,
  );
  const source = [{ name: "data", objectKey: "2/backup.members.zst", source: [makeTar(after)] }];
  const next = await archiveInto(store, source, {
    codec: "zstd",
    pool,
    ...SMALL,
    resolveExisting: (sha256, length) => index.find(sha256, length),
  });
  expect(joined(store, next.table)).toEqual([makeTar(after)]);
  expect(next.summaries[0]?.newMembers).toBe(1);
  expect(next.summaries[0]?.newPlainBytes).toBe(4096);
  expect(next.summaries[0]?.plainBytes).toBe(makeTar(after).length);
  expect(store.bytes("2/backup.members.zst").length).toBe(next.summaries[0]?.storedBytes);
});

test("several archives share one table", async () => {
  const store = new MemoryStore();
  const tars = [makeTar(files(10)), makeTar([]), makeTar(files(5, 100))];
  const sources = tars.map((tar, index) => ({ name: String(index), objectKey: `${index}.tar`, source: [tar] }));
  const { table, tableSummary } = await archiveInto(store, sources, { codec: "zstd", pool, ...SMALL });
  expect(joined(store, table)).toEqual(tars);
  expect(tableSummary).toMatchObject({ archives: 3, entries: 15 });
});

test("a source that is cut off or fails fails the body, and there is no summary", async () => {
  const table = new SeekTableWriter({ chunkBytes: 4096, sink: () => undefined });
  const tar = makeTar(files(20));
  const cut = writeSeekableTar({
    source: [tar.subarray(0, -1000)],
    name: "a",
    objectKey: "a",
    codec: "none",
    table,
    pool,
    ...SMALL,
  });
  const failure = await collect(cut.body).catch((error: unknown) => error);
  expect(hasErrorCode(failure, "FORMAT_INVALID")).toBe(true);
  expect(() => cut.summary()).toThrow("not read to its end");
});

test("a sink that fails fails the body", async () => {
  const sink = async (): Promise<void> => await Promise.reject(new Error("no room for the table"));
  const table = new SeekTableWriter({ chunkBytes: 4096, sink, frameBytes: 1000 });
  const write = writeSeekableTar({
    source: [makeTar(files(60))],
    name: "a",
    objectKey: "a",
    codec: "none",
    table,
    pool,
    ...SMALL,
  });
  await expect(collect(write.body)).rejects.toThrow("no room for the table");
});

test("stops when its signal aborts", async () => {
  const controller = new AbortController();
  const table = new SeekTableWriter({ chunkBytes: 4096, sink: () => undefined });
  const write = writeSeekableTar({
    source: [makeTar(files(60))],
    name: "a",
    objectKey: "a",
    codec: "gzip",
    table,
    pool,
    ...SMALL,
    signal: controller.signal,
    onProgress: ({ plainBytes }) => plainBytes > 50_000 && controller.abort(),
  });
  const failure = await collect(write.body).catch((error: unknown) => error);
  expect(hasErrorCode(failure, "ABORTED")).toBe(true);
});
