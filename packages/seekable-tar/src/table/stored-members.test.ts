import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeContent, makeTar } from "../../test/make-tar.ts";
import { type Archived, archiveInto, loadOutline, MemoryStore } from "../../test/memory-store.ts";
import { type CodecPool, createCodecPool } from "../codec-pool.ts";
import { readTableOutline } from "./read-seek-table.ts";
import type { ArchiveOutline, SeekArchive } from "./seek-table.ts";

let pool: CodecPool;
/** Two archives whose members lie in many frames. */
let archived: Archived;
beforeAll(async () => {
  pool = createCodecPool({ workers: 1 });
  const source = (first: number): Buffer[] => [
    makeTar(
      Array.from({ length: 40 }, (_, at) => ({
        path: `base/${at}`,
        type: "File" as const,
        content: makeContent(first + at, at * 300),
      })),
    ),
  ];
  archived = await archiveInto(
    new MemoryStore(),
    [
      { name: "1", objectKey: "o", source: source(0) },
      { name: "2", objectKey: "p", source: source(100) },
    ],
    { codec: "zstd", pool, chunkBytes: 4096, bundleBytes: 4096, frameBytes: 700 },
  );
});
afterAll(async () => await pool.close());

const pairs = (whole: readonly SeekArchive[], outlined: readonly ArchiveOutline[]) =>
  whole.map((archive, at) => {
    const outline = outlined[at];
    if (outline === undefined) throw new Error("the outline lacks an archive");
    return { archive, outline };
  });

test("an outline says the same as the whole table, and its members come where they are stored, in any order", async () => {
  const { archives } = await loadOutline(archived);
  const both = pairs(archived.table.archives, archives);
  expect(both).toHaveLength(2);
  for (const { archive, outline } of both) {
    expect(outline).toMatchObject({ name: archive.name, entries: archive.entries, plainBytes: archive.plainBytes });
    expect(outline.members.length).toBe(archive.members.length);
    const inOrder = outline.members.openCursor();
    for (let at = 0; at < archive.members.length; at += 1)
      expect(await inOrder.at(at)).toEqual(archive.members.get(at));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(archive.members.length - 1), { maxLength: 30 }), async (numbers) => {
        const cursor = outline.members.openCursor();
        for (const number of numbers) expect(await cursor.at(number)).toEqual(archive.members.get(number));
      }),
    );
    expect(() => inOrder.at(archive.members.length)).toThrow(RangeError);
  }
});

test("going through the members reads each frame once more, and none that is at hand", async () => {
  const fetched: number[] = [];
  const { archives } = await loadOutline(archived, fetched);
  const frames = archived.tableSummary.frames.length;
  expect(fetched).toHaveLength(frames);
  for (const { members } of archives) {
    const cursor = members.openCursor();
    for (let at = 0; at < members.length; at += 1) await cursor.at(at);
  }
  expect(fetched.length).toBeGreaterThan(frames);
  expect(new Set(fetched.slice(frames)).size).toBe(fetched.length - frames);
  expect(fetched.length).toBeLessThanOrEqual(2 * frames);
  const before = fetched.length;
  const last = archives.at(-1)?.members;
  await last?.openCursor().at(last.length - 1);
  expect(fetched).toHaveLength(before);
});

test("a frame that was exchanged since is damage, and one that could not be read is asked for again", async () => {
  const { tableBytes, tableSummary } = archived;
  let answer: (offset: number, length: number) => Buffer = (offset, length) =>
    Buffer.from(tableBytes.subarray(offset, offset + length));
  const right = answer;
  const { archives } = await readTableOutline({
    name: "index.zst",
    frames: tableSummary.frames,
    fetch: async (offset, length) => await Promise.resolve(answer(offset, length)),
  });
  const members = archives[0]?.members;
  if (members === undefined) throw new Error("the outline lacks an archive");
  answer = (_, length) => Buffer.alloc(length, 1);
  await expect(members.openCursor().at(0)).rejects.toMatchObject({ code: "ARCHIVE_DAMAGED" });
  answer = right;
  expect(await members.openCursor().at(0)).toEqual(archived.table.archives[0]?.members.get(0));
});
