import { createHash, randomBytes } from "node:crypto";
import { isSoarError, hasErrorCode } from "@soar/errors";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeContent, makeTar } from "../../test/make-tar.ts";
import { type Archived, archiveInto, loadTable, MemoryStore } from "../../test/memory-store.ts";
import { type CodecPool, createCodecPool } from "../codec-pool.ts";
import { DigestIndex } from "./digest-index.ts";
import type { MemberLocation, TableRow } from "./row.ts";
import { SeekTableWriter } from "./seek-table-writer.ts";
import { readSeekTable } from "./read-seek-table.ts";
import { MemberList } from "./member-list.ts";
import { TableBuilder } from "./table-builder.ts";

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();
const memberOf = (number: number): MemberLocation => ({
  object: `object-${number % 3}`,
  codec: "zstd",
  offset: number * 1e6,
  storedLength: number,
  plainLength: number + 1,
  sha256: sha256(String(number)),
  crc32c: 0xffff_ffff - number,
  storedDigest: sha256(`stored ${number}`).subarray(0, 8),
});
const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  await work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("DigestIndex", () => {
  test("finds every member by digest and length among many, and nothing else", () => {
    const index = new DigestIndex();
    for (let number = 0; number < 40_000; number++) index.add(memberOf(number));
    index.add({ ...memberOf(7), object: "later" });
    expect(index.size).toBe(40_000);
    for (let number = 0; number < 40_000; number += 7)
      expect(index.find(sha256(String(number)), number + 1)).toEqual(memberOf(number));
    expect(index.find(sha256("7"), 7)).toBeUndefined();
    for (let number = 0; number < 1000; number++) expect(index.find(randomBytes(32), number)).toBeUndefined();
  });

  test("compares whole digests", () => {
    const index = new DigestIndex();
    index.add(memberOf(1));
    for (let byte = 0; byte < 32; byte++) {
      const other = sha256("1");
      other[byte] = (other[byte] ?? 0) ^ 1;
      expect(index.find(other, 2)).toBeUndefined();
    }
  });
});

describe("a stored table", () => {
  let pool: CodecPool;
  let archived: Archived;
  beforeAll(async () => {
    pool = createCodecPool({ workers: 1 });
    const tar = makeTar(
      Array.from({ length: 50 }, (_, index) => ({
        path: `base/${index}`,
        type: "File" as const,
        content: makeContent(index, index * 300),
      })),
    );
    archived = await archiveInto(new MemoryStore(), [{ name: "data", objectKey: "o", source: [tar] }], {
      codec: "zstd",
      pool,
      chunkBytes: 4096,
      bundleBytes: 4096,
      frameBytes: 700,
    });
  });
  afterAll(async () => await pool.close());

  test("has frames with known lengths and digests", () => {
    const { tableSummary, tableBytes } = archived;
    expect(tableSummary.frames.length).toBeGreaterThan(5);
    expect(tableSummary.storedBytes).toBe(tableBytes.length);
    expect(tableSummary.storedSha256).toBe(createHash("sha256").update(tableBytes).digest("hex"));
    expect(tableSummary.frames.every(({ plainLength }) => plainLength <= 700)).toBe(true);
  });

  test("fills an index without being in memory", async () => {
    const [whole, streamed] = [new DigestIndex(), new DigestIndex()];
    whole.addTable(archived.table);
    const { frames } = archived.tableSummary;
    await streamed.addStoredTable({
      name: "index.zst",
      frames,
      fetch: async (offset, length) => await Promise.resolve(archived.tableBytes.subarray(offset, offset + length)),
    });
    expect(streamed.size).toBe(whole.size);
    const members = archived.table.archives[0]?.members;
    const first = members?.get(0);
    expect(first).toBeDefined();
    if (first !== undefined) expect(streamed.find(first.sha256, first.plainLength)).toEqual(first);
  });

  test("with any flipped bit, missing or exchanged frame is refused", async () => {
    const { tableSummary, tableBytes } = archived;
    await fc.assert(
      fc.asyncProperty(fc.nat(tableBytes.length * 8 - 1), async (bit) => {
        const flipped = Buffer.from(tableBytes);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const failure = await failureOf(loadTable(flipped, tableSummary));
        // A bit of zstd's window size may change nothing; then the table is the same.
        if (failure !== undefined) expect(failure).toMatchObject({ code: "ARCHIVE_DAMAGED" });
      }),
      { numRuns: 300 },
    );
    expect(hasErrorCode(await failureOf(loadTable(tableBytes.subarray(0, -1), tableSummary)), "ARCHIVE_DAMAGED")).toBe(
      true,
    );
    const frames = tableSummary.frames.slice(0, -1);
    expect(hasErrorCode(await failureOf(loadTable(tableBytes, { frames })), "FORMAT_INVALID")).toBe(true);
    expect(hasErrorCode(await failureOf(loadTable(tableBytes, { frames: [] })), "FORMAT_INVALID")).toBe(true);
  });

  test("with a frame that claims more than any has is refused before it is fetched", async () => {
    const { frames } = archived.tableSummary;
    for (const claim of [{ plainLength: 1024 ** 3 }, { storedLength: 6 * 1024 ** 3 }]) {
      const fetched: number[] = [];
      const reading = readSeekTable({
        name: "index.zst",
        frames: frames.map((frame, at) => (at === 1 ? { ...frame, ...claim } : frame)),
        fetch: async (offset, length) => (
          fetched.push(length),
          await Promise.resolve(archived.tableBytes.subarray(offset, offset + length))
        ),
      });
      await expect(reading).rejects.toMatchObject({
        code: "ARCHIVE_DAMAGED",
        message: expect.stringContaining("as is claimed of this one") as string,
      });
      expect(Math.max(...fetched)).toBeLessThan(1024);
    }
  });

  test("whose rows do not fit together is refused", () => {
    const file = {
      path: "f",
      type: "file",
      size: 10,
      mode: 0,
      mtime: 0,
      uid: 0,
      gid: 0,
      link: "",
      member: 0,
      offset: 0,
    } as const;
    const member = {
      kind: "member",
      object: 0,
      offset: 0,
      storedLength: 5,
      plainLength: 20,
      sha256: sha256(""),
      crc32c: 7,
      storedDigest: Buffer.alloc(8),
    } as const;
    const begin: TableRow[] = [
      { kind: "header", chunkBytes: 4096 },
      { kind: "archive", name: "a" },
      { kind: "object", key: "k", codec: "none" },
    ];
    const end = (members: number, entries: number, plainBytes: number): TableRow[] => [
      { kind: "archive-end", members, entries, plainBytes },
      { kind: "end", archives: 1 },
    ];
    const build = (rows: readonly TableRow[]): unknown => {
      const builder = new TableBuilder((objects) => new MemberList(objects));
      try {
        for (const row of rows) builder.add(row);
        return builder.end();
      } catch (error) {
        return error;
      }
    };
    const entry = (changes: object): TableRow => ({ kind: "entry", entry: { ...file, ...changes } });
    const good = [...begin, entry({}), member, ...end(1, 1, 20)];
    expect(build(good)).toMatchObject({ chunkBytes: 4096, archives: [{ name: "a", plainBytes: 20 }] });
    const bad: (readonly TableRow[])[] = [
      good.slice(1),
      good.slice(0, -1),
      [...good, entry({})],
      [...begin, ...begin],
      [...begin, entry({}), member, ...end(2, 1, 20)],
      [...begin, entry({}), member, ...end(1, 0, 20)],
      [...begin, entry({}), member, ...end(1, 1, 21)],
      [...begin, entry({}), { ...member, object: 1 }, ...end(1, 1, 20)],
      [...begin, entry({}), { ...member, plainLength: 0 }, ...end(1, 1, 0)],
      [...begin, entry({ member: 1 }), member, ...end(1, 1, 20)],
      [...begin, entry({ offset: 21 }), member, ...end(1, 1, 20)],
      [...begin, entry({ offset: 11 }), member, ...end(1, 1, 20)],
      [...begin, entry({}), entry({ offset: 9 }), member, ...end(1, 2, 20)],
      [...begin, entry({ type: "directory" }), member, ...end(1, 1, 20)],
      [begin[0] ?? member, member],
      [...good.slice(0, -1), { kind: "end", archives: 2 }],
    ];
    for (const rows of bad) expect(isSoarError(build(rows)), JSON.stringify(rows)).toBe(true);
  });
});

test("the table of a cluster stays under 0.05 % of it at the default chunk size", async () => {
  let stored = 0;
  const writer = new SeekTableWriter({ chunkBytes: 262_144, sink: (frame) => void (stored += frame.length) });
  writer.beginArchive("data");
  const members = 60_000;
  let offset = 0;
  for (let number = 0; number < members; number++) {
    const storedLength = 90_000 + ((number * 7919) % 40_000);
    writer.addMember({
      object: "base/2025-01-05/backup.tar.gz",
      codec: "gzip",
      offset,
      storedLength,
      plainLength: 262_144,
      sha256: sha256(String(number)),
      crc32c: sha256(String(number)).readUInt32LE(),
      storedDigest: sha256(`stored ${number}`).subarray(0, 8),
    });
    offset += storedLength;
  }
  writer.endArchive();
  await writer.end();
  expect(stored / (members * 262_144)).toBeLessThan(0.0005);
});
