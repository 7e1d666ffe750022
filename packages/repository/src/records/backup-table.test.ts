import { createHash } from "node:crypto";
import { compressMemberSync } from "@soar/seekable-tar";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { beforeEach, describe, expect, test } from "vitest";
import {
  asRepositoryDamage,
  readBackupOutline,
  readBackupTable,
  readBackupTableRows,
  tableOf,
} from "./backup-table.ts";
import { backupKey } from "./keys.ts";

const label = "2025-01-05";
const plain = Buffer.from('{"format":"soar-seek-table","version":2,"digest":"sha256","chunkBytes":4096}\n["end",0]\n');
const stored = compressMemberSync("zstd", plain);
const sha256 = createHash("sha256").update(plain).digest("hex");
const table = tableOf({
  label,
  index: { members: [[stored.length, plain.length, sha256]] },
  archives: [],
  references: [],
});

let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore({ name: "m" });
});
const put = (bytes: Buffer) => store.put(backupKey(label, "index.zst"), bytes);

async function rows(): Promise<string[]> {
  const kinds: string[] = [];
  for await (const some of readBackupTableRows(store, table)) for (const { kind } of some) kinds.push(kind);
  return kinds;
}

describe("the table of a backup", () => {
  test("is read whole and row by row, and every frame is shown", async () => {
    await put(stored);
    const frames: Buffer[] = [];
    const onFrame = (frame: Buffer): void => void frames.push(Buffer.from(frame));
    expect((await readBackupTable(store, table, { onFrame })).archives).toEqual([]);
    expect(frames).toEqual([stored]);
    expect(await rows()).toEqual(["header", "end"]);
  });

  test("that is not as recorded is damage of the repository, whose other words are kept", async () => {
    const flipped = Buffer.from(stored);
    flipped[stored.length - 1] = (flipped[stored.length - 1] ?? 0) ^ 1;
    await put(flipped);
    const damage = {
      code: "REPOSITORY_DAMAGED",
      message: expect.stringMatching(
        /^unable to read the seek table 'memory:m\/base\/2025-01-05\/index\.zst' from byte 0/,
      ) as string,
      hint: expect.stringContaining("Run a verification of the repository") as string,
      cause: expect.objectContaining({ code: "ARCHIVE_DAMAGED" }) as Error,
    };
    await expect(readBackupTable(store, table)).rejects.toMatchObject(damage);
    await expect(rows()).rejects.toMatchObject(damage);
  });

  describe("with more rows than are collected at once", () => {
    const FRAMES = 5;
    const ROWS = 60_000;
    const FRAME_BYTES = ROWS * 512 + 512;
    const head =
      '{"format":"soar-seek-table","version":2,"digest":"sha256","chunkBytes":4096}\n["a","base"]\n["o","k","gzip"]\n';
    /** Empty files, as they come one behind the other, and the member of their headers. */
    const frame = (number: number): string => {
      const entry = (at: number): string =>
        `["e","${"f".repeat(30)}","file",0,384,0,0,0,"",${number},${(at + 1) * 512}]\n`;
      const digest = Buffer.alloc(32).toString("base64");
      return `${Array.from({ length: ROWS }, (_, at) => entry(at)).join("")}["m",0,0,9,${FRAME_BYTES},"${digest}",0,"AAAAAAAAAAA="]\n`;
    };
    const tail = `["z",${FRAMES},${FRAMES * ROWS},${FRAMES * FRAME_BYTES}]\n["end",1]\n`;

    async function putTable(tar: number, end = tail): Promise<ReturnType<typeof tableOf>> {
      const texts = [
        head,
        ...Array.from({ length: FRAMES }, (_, number) => frame(number)),
        ...(end === "" ? [] : [end]),
      ];
      const plains = texts.map((text) => Buffer.from(text));
      const packed = plains.map((bytes) => compressMemberSync("zstd", bytes));
      await put(Buffer.concat(packed));
      const members = plains.map((bytes, at): [number, number, string] => [
        packed[at]?.length ?? 0,
        bytes.length,
        createHash("sha256").update(bytes).digest("hex"),
      ]);
      const archives = [{ name: "base", object: "backup.tar.gz", tar, stored: 9 }];
      return tableOf({ label, index: { members }, archives, references: [] });
    }

    test("is read, and every frame is shown once", async () => {
      const large = await putTable(FRAMES * FRAME_BYTES);
      let frames = 0;
      const { archives } = await readBackupTable(store, large, { onFrame: () => void (frames += 1) });
      expect(archives[0]?.entries).toHaveLength(FRAMES * ROWS);
      expect(frames).toBe(FRAMES + 2);
    });

    test("as an outline has the same entries, and shows the frames again in which members are looked for", async () => {
      const large = await putTable(FRAMES * FRAME_BYTES);
      let frames = 0;
      const { archives } = await readBackupOutline(store, large, { onFrame: () => void (frames += 1) });
      expect(archives[0]?.entries).toHaveLength(FRAMES * ROWS);
      expect(await archives[0]?.members.openCursor().at(1)).toMatchObject({ object: "k", plainLength: FRAME_BYTES });
      expect(frames).toBe(FRAMES + 2 + 1);
    });

    test("is refused before a row of it is kept, when the record has no room for them or it does not end", async () => {
      const shown: unknown[] = [];
      const read = async (large: ReturnType<typeof tableOf>): Promise<unknown> =>
        await readBackupTable(store, large, { onFrame: (bytes) => void shown.push(bytes) });
      await expect(read(await putTable(FRAME_BYTES))).rejects.toMatchObject({
        code: "REPOSITORY_DAMAGED",
        message: expect.stringContaining(`longer than the ${FRAME_BYTES} bytes that were recorded`) as string,
      });
      await store.remove([backupKey(label, "index.zst")]);
      await expect(read(await putTable(FRAMES * FRAME_BYTES, ""))).rejects.toMatchObject({
        code: "FORMAT_INVALID",
        message: expect.stringContaining("it ends before its last line") as string,
      });
      expect(shown).toEqual([]);
    });
  });

  test("that is not there is missing", async () => {
    await expect(readBackupTable(store, table)).rejects.toMatchObject({ code: "OBJECT_MISSING" });
    await expect(rows()).rejects.toMatchObject({ code: "OBJECT_MISSING" });
  });
});

test("what is no damage of an archive stays what it is", () => {
  const error = new Error("other");
  expect(asRepositoryDamage(error)).toBe(error);
});
