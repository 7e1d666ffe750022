import { createHash } from "node:crypto";
import { compressMemberSync } from "@soar/seekable-tar";
import { createMemoryStore, type ObjectStore } from "@soar/storage";
import { beforeEach, describe, expect, test } from "vitest";
import { asRepositoryDamage, readBackupTable, readBackupTableRows, tableOf } from "./backup-table.ts";
import { backupKey } from "./keys.ts";

const label = "2025-01-05";
const plain = Buffer.from('{"format":"soar-seek-table","version":2,"digest":"sha256","chunkBytes":4096}\n["end",0]\n');
const stored = compressMemberSync("zstd", plain);
const sha256 = createHash("sha256").update(plain).digest("hex");
const table = tableOf({ label, index: { members: [[stored.length, plain.length, sha256]] } });

let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore({ name: "m" });
});
const put = (bytes: Buffer) => store.put(backupKey(label, "index.zst"), bytes);

async function rows(): Promise<string[]> {
  const kinds: string[] = [];
  for await (const some of readBackupTableRows(store, table)) kinds.push(...some.map(({ kind }) => kind));
  return kinds;
}

describe("the table of a backup", () => {
  test("is read whole and row by row, and every frame is shown", async () => {
    await put(stored);
    const frames: Promise<Buffer>[] = [];
    expect((await readBackupTable(store, table, { onFrame: (frame) => frames.push(frame) })).archives).toEqual([]);
    expect(await Promise.all(frames)).toEqual([stored]);
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

  test("that is not there is missing", async () => {
    await expect(readBackupTable(store, table)).rejects.toMatchObject({ code: "OBJECT_MISSING" });
    await expect(rows()).rejects.toMatchObject({ code: "OBJECT_MISSING" });
  });
});

test("what is no damage of an archive stays what it is", () => {
  const error = new Error("other");
  expect(asRepositoryDamage(error)).toBe(error);
});
