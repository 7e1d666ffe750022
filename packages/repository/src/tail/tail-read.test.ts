import { createHash, randomBytes } from "node:crypto";
import { SoarError } from "@soar/errors";
import { createMemoryStore, readObject, type ObjectStore } from "@soar/storage";
import { beforeEach, expect, test } from "vitest";
import {
  listTailPieces,
  listTailSegments,
  parseTailPieceKey,
  putTailPiece,
  readTailDigest,
  removeTail,
} from "./tail-pieces.ts";
import { padTail, readTail } from "./tail-read.ts";

const SEGMENT = "000000010000000000000007";
const wal = randomBytes(10_000);
let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore({ name: "tail" });
});

const digestTo = (to: number, bytes = wal): string => createHash("sha256").update(bytes.subarray(0, to)).digest("hex");
const ship = (from: number, to: number, bytes = wal, segmentName = SEGMENT) =>
  putTailPiece(store, {
    segmentName,
    from,
    bytes: bytes.subarray(from, to),
    sha256: digestTo(to, bytes),
    systemIdentifier: "7",
  });

test("puts pieces together, and pads them to a segment", async () => {
  for (const [from, to] of [
    [0, 100],
    [100, 4_000],
    [4_000, 4_001],
  ] as const)
    await ship(from, to);
  const tail = await readTail(store, SEGMENT);
  expect(tail?.bytes.equals(wal.subarray(0, 4_001))).toBe(true);
  expect(tail?.sha256).toBe(digestTo(4_001));
  if (tail !== undefined)
    expect(padTail(tail, 8_000).equals(Buffer.concat([wal.subarray(0, 4_001), Buffer.alloc(3_999)]))).toBe(true);
});

test("takes a consolidated piece instead of those that it holds, and what follows it", async () => {
  for (let to = 100; to <= 1_000; to += 100) await ship(to - 100, to);
  await ship(0, 1_100);
  await ship(1_100, 1_200);
  const tail = await readTail(store, SEGMENT);
  expect(tail?.pieces.map(({ from, to }) => [from, to])).toEqual([
    [0, 1_100],
    [1_100, 1_200],
  ]);
});

test("goes on with single pieces when the consolidated one is damaged", async () => {
  await ship(0, 500);
  await ship(500, 900);
  const { key } = await ship(0, 900);
  const bytes = Buffer.from(await readObject(store, key));
  bytes.writeUInt8(bytes.readUInt8(200) ^ 1, 200);
  await store.remove([key]);
  await store.put(key, bytes);
  expect((await readTail(store, SEGMENT))?.bytes.length).toBe(900);
});

test("a piece of another history ends the chain before it, and the longest consistent chain wins", async () => {
  const other = Buffer.concat([wal.subarray(0, 200), randomBytes(9_800)]);
  await ship(0, 300);
  await ship(300, 400, other);
  expect((await readTail(store, SEGMENT))?.bytes.equals(wal.subarray(0, 300))).toBe(true);
  await ship(0, 350, other);
  await ship(350, 2_000, other);
  expect((await readTail(store, SEGMENT))?.bytes.equals(other.subarray(0, 2_000))).toBe(true);
});

test("a piece that does not connect, and a segment without pieces, give nothing", async () => {
  expect(await readTail(store, SEGMENT)).toBeUndefined();
  await ship(100, 200);
  expect(await readTail(store, SEGMENT)).toBeUndefined();
});

test("a piece that leads behind the segment, or is larger than its bytes can be, is not even read", async () => {
  await ship(0, 4_000);
  await ship(4_000, 10_000);
  expect((await readTail(store, SEGMENT, { segmentSize: 10_000 }))?.bytes.length).toBe(10_000);
  expect((await readTail(store, SEGMENT, { segmentSize: 8_192 }))?.bytes.length).toBe(4_000);
  const key = `tail/${SEGMENT}/00000FA0-00001000.zst`;
  await store.put(key, Buffer.alloc(2 * 1024 * 1024));
  const read: string[] = [];
  const watched: ObjectStore = {
    ...store,
    get: async (asked, options) => (read.push(asked), store.get(asked, options)),
  };
  expect((await readTail(watched, SEGMENT))?.bytes.length).toBe(10_000);
  expect(read).not.toContain(key);
});

test("the same piece again is success, other bytes are refused", async () => {
  const piece = await ship(0, 100);
  expect(await ship(0, 100)).toEqual(piece);
  expect(await readTailDigest(store, piece)).toBe(digestTo(100));
  await expect(ship(0, 100, randomBytes(100))).rejects.toMatchObject({ code: "WAL_CONFLICT" });
});

test("lists segments and pieces, removes them, and refuses what it does not know", async () => {
  const second = "000000010000000000000008";
  await ship(0, 100);
  await ship(100, 200);
  await ship(0, 100, wal, second);
  expect(await listTailSegments(store)).toEqual([SEGMENT, second]);
  expect(await listTailSegments(store, { after: SEGMENT })).toEqual([second]);
  expect(await listTailSegments(store, { atMost: 1 })).toEqual([SEGMENT]);
  expect(await removeTail(store, SEGMENT)).toBe("removed");
  expect(await removeTail(store, SEGMENT)).toBe("nothing");
  expect(await listTailSegments(store)).toEqual([second]);
  expect(parseTailPieceKey("tail/x/1-2.zst", 1)).toBeUndefined();
  await store.put(`tail/${second}/junk`, Buffer.from("x"));
  await expect(listTailPieces(store, second)).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
  await store.put("tail/000000010000000000000001/junk", Buffer.from("x"));
  await expect(listTailSegments(store)).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
});

test("without the right to delete the pieces are left; other failures are failures", async () => {
  await ship(0, 100);
  const failing = (failure: Error): ObjectStore => ({ ...store, remove: () => Promise.reject(failure) });
  expect(await removeTail(failing(new SoarError("STORE_DENIED", "no")), SEGMENT)).toBe("denied");
  expect(await removeTail(failing(new SoarError("OBJECT_LOCKED", "no")), SEGMENT)).toBe("locked");
  await expect(removeTail(failing(new SoarError("STORE_BUSY", "no")), SEGMENT)).rejects.toMatchObject({
    code: "STORE_BUSY",
  });
  await expect(
    readTail({ ...store, get: () => Promise.reject(new SoarError("STORE_BUSY", "no")) }, SEGMENT),
  ).rejects.toMatchObject({ code: "STORE_BUSY" });
});
