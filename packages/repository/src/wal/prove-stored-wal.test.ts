import { randomBytes } from "node:crypto";
import { createMemoryStore, readObject, type ObjectStore } from "@soar/storage";
import { beforeEach, describe, expect, test } from "vitest";
import { changesOf, flipped, putRaw, segmentName, sourceOf, sparseSource, walBytes } from "../../test/wal-samples.ts";
import { sha256Hex } from "../records/digest.ts";
import { getWalFile, readWalDescription } from "./get-wal.ts";
import { proveLargeStoredWal, proveStoredWal } from "./prove-stored-wal.ts";
import { putWalFile } from "./put-wal.ts";
import { formatWalDescription } from "./wal-description.ts";
import type { WalObject } from "./wal-key.ts";

const name = segmentName(7);
const bytes = walBytes(1, 600);
let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore({ name: "m" });
});

async function readProved(object: WalObject): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of getWalFile(store, object, { provesStored: true })) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe.each(["zstd", "gzip"] as const)("a %s object", (codec) => {
  test("proves its stored bytes, and every one of them that changed", async () => {
    const { object } = await putWalFile(store, { ...sourceOf(name, bytes), changes: changesOf([1, 5]) }, { codec });
    const stored = await readObject(store, object.key);
    expect(await readProved(object)).toEqual(bytes);
    expect(proveStoredWal(object, stored, "here")).toMatchObject({ name, size: 600, sha256: sha256Hex(bytes) });
    expect(await proveLargeStoredWal(store, object)).toMatchObject({ name });
    for (let at = 0; at < stored.length; at += 1) {
      const changed = flipped(stored, at);
      expect(() => proveStoredWal(object, changed, "here"), `byte ${at}`).toThrow(/^'here' is damaged/);
      const raw = await putRaw(store, segmentName(8), codec, changed);
      await expect(proveLargeStoredWal(store, { ...raw, name }), `byte ${at}`).rejects.toMatchObject({
        code: "REPOSITORY_DAMAGED",
      });
      await expect(readProved({ ...raw, name }), `byte ${at}`).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
      await store.remove([raw.key]);
    }
    for (const changed of [stored.subarray(1), Buffer.concat([Buffer.of(0), stored]), Buffer.alloc(0)])
      expect(() => proveStoredWal(object, changed, "here")).toThrow(/is damaged/);
    expect(() => proveStoredWal({ ...object, name: segmentName(9) }, stored, "here")).toThrow(/describes itself as/);
  });

  test("of several members is proved over all of them", async () => {
    const { object } = await putWalFile(store, sparseSource(name, 40 * 1024 * 1024), { codec });
    const stored = await readObject(store, object.key);
    expect(proveStoredWal(object, stored, "here")?.members).toHaveLength(3);
    expect(await proveLargeStoredWal(store, object)).toMatchObject({ name });
  });

  test("that was stored without a checksum is not taken for proved", async () => {
    const description = { v: 1 as const, name, size: 0, sha256: sha256Hex(Buffer.of()), members: [], memberSize: 1 };
    const stored = formatWalDescription(description, codec);
    const object = await putRaw(store, name, codec, stored);
    expect(proveStoredWal(object, stored, "here")).toBeUndefined();
    expect(await proveLargeStoredWal(store, object)).toBeUndefined();
  });
});

test("an object that is too large for one request is proved by its ranges, up to the changed blocks", async () => {
  const plain = randomBytes(66 * 1024 * 1024);
  const large = { ...sourceOf(name, plain), changes: changesOf([3]) };
  const { object } = await putWalFile(store, large, { codec: "zstd" });
  const stored = await readObject(store, object.key);
  const { dataLength, description } = await readWalDescription(store, object);
  expect(object.size).toBeGreaterThan(64 * 1024 * 1024);
  expect(description.changes).toBeGreaterThan(0);
  expect((await readProved(object)).equals(plain)).toBe(true);
  await store.put(object.key, flipped(stored, dataLength + 20));
  await expect(readProved(object)).rejects.toMatchObject({ message: expect.stringContaining("CRC-32C of its stored") });
});

test("a bare file has nothing that could prove it", async () => {
  const { object } = await putWalFile(store, sourceOf(name, bytes), { codec: "none" });
  expect(proveStoredWal(object, bytes, "here")).toBeUndefined();
  expect(await proveLargeStoredWal(store, object)).toBeUndefined();
});
