import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeContent, makeTar, type MadeEntry, tarArbitrary } from "../../test/make-tar.ts";
import { archiveInto, collect, MemoryStore } from "../../test/memory-store.ts";
import { type CodecPool, createCodecPool } from "../codec-pool.ts";
import type { SeekArchive } from "../table/seek-table.ts";
import type { PlacedEntry } from "../table/row.ts";
import { readArchive } from "./read-archive.ts";
import { TarComparison } from "./tar-comparison.ts";

const SMALL = { chunkBytes: 4096, bundleBytes: 8192, largeFileBytes: 8192 };
let pool: CodecPool;
beforeAll(() => void (pool = createCodecPool({ workers: 2 })));
afterAll(async () => await pool.close());

interface Read {
  readonly archive: SeekArchive;
  readonly members: readonly Buffer[];
}

async function readAll(made: readonly MadeEntry[]): Promise<Read> {
  const store = new MemoryStore();
  const { table } = await archiveInto(store, [{ name: "data", objectKey: "o", source: [makeTar(made)] }], {
    codec: "none",
    pool,
    ...SMALL,
  });
  const [archive] = table.archives;
  if (archive === undefined) throw new Error("the table has no archive");
  return { archive, members: await collect(readArchive(archive, { fetch: store.fetch, pool })) };
}

/** Members that hold nothing but content of one file are passed over when `skips`. */
function compare({ archive, members }: Read, { skips }: { readonly skips: boolean }): void {
  const comparison = new TarComparison(archive);
  const holdsMore = new Set([0, ...archive.entries.map(({ member, offset }) => (offset === 0 ? -1 : member))]);
  for (const [index, plain] of members.entries()) {
    const owner = archive.entries.findLast(({ member, size }) => member <= index && size >= SMALL.largeFileBytes);
    const chunks = owner === undefined ? 0 : Math.ceil(owner.size / SMALL.chunkBytes);
    const isContent = owner !== undefined && !holdsMore.has(index) && index < owner.member + chunks;
    if (skips && isContent) comparison.skip(plain.length);
    else comparison.push(plain);
  }
  comparison.finish();
}

const withEntries = ({ archive, members }: Read, change: (entries: PlacedEntry[]) => PlacedEntry[]): Read => ({
  archive: { ...archive, entries: change([...archive.entries]) },
  members,
});

test("accepts what was written, with and without a look at content", async () => {
  await fc.assert(
    fc.asyncProperty(tarArbitrary([4096, 8192, 30_000]), async (made) => {
      const read = await readAll(made);
      compare(read, { skips: false });
      compare(read, { skips: true });
    }),
    { numRuns: 40 },
  );
});

describe("refuses", () => {
  const made: MadeEntry[] = [
    { path: "small", type: "File", content: makeContent(1, 700) },
    { path: "large", type: "File", content: makeContent(2, 20_000) },
    { path: "link", type: "SymbolicLink", content: Buffer.alloc(0), link: "elsewhere" },
    { path: "last", type: "File", content: makeContent(3, 100) },
  ];
  let read: Read;
  beforeAll(async () => void (read = await readAll(made)));

  test.each<[string, (entries: PlacedEntry[]) => PlacedEntry[], RegExp]>([
    [
      "another mode",
      (entries) => entries.map((entry) => (entry.path === "small" ? { ...entry, mode: 0o600 } : entry)),
      /'small' is described as .*"mode":384.*, and is .*"mode":420/,
    ],
    [
      "another size",
      (entries) => entries.map((entry) => (entry.path === "large" ? { ...entry, size: 19_999 } : entry)),
      /'large' is described as/,
    ],
    [
      "another link",
      (entries) => entries.map((entry) => (entry.path === "link" ? { ...entry, link: "/" } : entry)),
      /'link' is described as/,
    ],
    [
      "another place",
      (entries) => entries.map((entry) => (entry.path === "last" ? { ...entry, offset: entry.offset + 512 } : entry)),
      /the content of 'last' begins at byte \d+ of the stream, not at/,
    ],
    ["another order", (entries) => entries.toReversed(), /'small' is described as .*"path":"last"/],
    ["an entry that the stream lacks", (entries) => [...entries, ...entries.slice(-1)], /'last' is in the table only/],
    ["an entry that the table lacks", (entries) => entries.slice(0, -1), /'last' is in the stream only/],
  ])("%s", (_, change, message) => {
    expect(() => compare(withEntries(read, change), { skips: true })).toThrow(message);
  });

  test("a stream without its end, one that goes on, and content that is none", () => {
    expect(() =>
      compare({ ...read, members: [Buffer.concat(read.members).subarray(0, -600)] }, { skips: false }),
    ).toThrow(/ends before its closing blocks/);
    expect(() =>
      compare({ ...read, members: [Buffer.concat([...read.members, Buffer.from("x")])] }, { skips: false }),
    ).toThrow(/bytes follow its end/);
    const comparison = new TarComparison(read.archive);
    expect(() => comparison.skip(10)).toThrow(/the content of an entry ends before it should/);
  });
});
