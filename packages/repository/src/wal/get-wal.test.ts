import type { Codec } from "@soar/seekable-tar";
import { compressMember, decompressMember } from "@soar/seekable-tar";
import { createMemoryStore, readObject, type ObjectStore } from "@soar/storage";
import { beforeEach, describe, expect, test } from "vitest";
import { flipped, putRaw, segmentName, sourceOf, walBytes } from "../../test/wal-samples.ts";
import { sha256Hex } from "../records/digest.ts";
import { getWalFile, readWalDescription, readWalFile } from "./get-wal.ts";
import { putWalFile } from "./put-wal.ts";
import { formatWalDescription, parseWalDescription, type WalDescription } from "./wal-description.ts";

const name = segmentName(7);
const bytes = walBytes(1, 600);
let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore({ name: "m" });
});

/** The object of a small segment, as stored. */
async function stored(codec: Codec): Promise<Buffer> {
  const elsewhere = createMemoryStore();
  const { object } = await putWalFile(
    elsewhere,
    sourceOf(name, bytes, { sysid: "7000000000000000001", tx: { n: 1, first: 5, last: 5 } }),
    { codec },
  );
  return readObject(elsewhere, object.key);
}

/** An object of several members with a description of our choosing. */
async function handMade(
  codec: "zstd" | "gzip",
  change: (description: WalDescription) => WalDescription = (same) => same,
  memberSize = 200,
): Promise<Buffer> {
  const members: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += memberSize)
    members.push(await compressMember(codec, bytes.subarray(at, at + memberSize)));
  const description: WalDescription = {
    v: 1,
    name,
    size: bytes.length,
    sha256: sha256Hex(bytes),
    members: members.map(({ length }) => length),
    memberSize,
  };
  return Buffer.concat([...members, formatWalDescription(change(description), codec)]);
}

const damage = (message: string | RegExp) =>
  expect.objectContaining({ code: "REPOSITORY_DAMAGED", message: expect.stringMatching(message) });

describe.each(["zstd", "gzip"] as const)("a %s object", (codec) => {
  test("of several members is read whole and member by member", async () => {
    const object = await putRaw(store, name, codec, await handMade(codec));
    const pieces: Buffer[] = [];
    for await (const piece of getWalFile(store, object)) pieces.push(piece);
    expect(pieces.map(({ length }) => length)).toEqual([200, 200, 200]);
    expect(Buffer.concat(pieces)).toEqual(bytes);
    expect(await readWalFile(store, object)).toEqual(bytes);
  });

  test("describes itself with one read of its end", async () => {
    let gets = 0;
    const object = await putRaw(store, name, codec, await handMade(codec));
    const counting: ObjectStore = { ...store, get: async (key, options) => ((gets += 1), store.get(key, options)) };
    const { description, dataLength } = await readWalDescription(counting, object);
    expect(description).toMatchObject({ name, size: 600, sha256: sha256Hex(bytes) });
    expect(dataLength).toBe(description.members.reduce((sum, length) => sum + length, 0));
    expect(gets).toBe(1);
  });

  test("is decompressed where the caller wants", async () => {
    const object = await putRaw(store, name, codec, await handMade(codec));
    const lengths: number[] = [];
    const decompress = async (used: Codec, part: Buffer, plainLength: number) => (
      lengths.push(plainLength),
      decompressMember(used, part, plainLength)
    );
    expect(await readWalFile(store, object, { decompress })).toEqual(bytes);
    expect(lengths).toEqual([200, 200, 200]);
  });

  test("with one flipped bit, at every byte, never yields other bytes, and tells where it matters", async () => {
    const whole = await stored(codec);
    const { length } = parseWalDescription(whole, codec, "k");
    let harmless = 0;
    for (let at = 0; at < whole.length; at += 1) {
      const object = await putRaw(store, name, codec, flipped(whole, at, 1 << (at % 8)));
      const outcome = await readWalFile(store, object).then(
        (read) => (read.equals(bytes) ? "the very bytes" : "OTHER BYTES"),
        (error: { code?: string }) => error.code,
      );
      // Bits that mean nothing (a gzip header's time, the padding of a last Huffman code) change nothing that is read.
      if (outcome === "the very bytes" && at < whole.length - length) harmless += 1;
      else expect(outcome, `byte ${at}`).toBe("REPOSITORY_DAMAGED");
    }
    expect(harmless).toBeLessThan(12);
  });

  test("cut short or lengthened anywhere is noticed", async () => {
    const whole = await stored(codec);
    for (let length = 0; length < whole.length; length += 1) {
      await expect(
        readWalFile(store, await putRaw(store, name, codec, whole.subarray(0, length))),
        `${length} bytes`,
      ).rejects.toEqual(damage("'memory:m/wal/"));
      const cutInFront = await putRaw(store, name, codec, whole.subarray(whole.length - length));
      await expect(readWalFile(store, cutInFront), `last ${length} bytes`).rejects.toEqual(damage("'memory:m/wal/"));
    }
    await expect(
      readWalFile(store, await putRaw(store, name, codec, Buffer.concat([whole, Buffer.of(0)]))),
    ).rejects.toEqual(damage("no description|not well-formed"));
    await expect(
      readWalFile(store, await putRaw(store, name, codec, Buffer.concat([Buffer.of(0), whole]))),
    ).rejects.toEqual(damage("its members should have"));
  });

  test("under another segment's name is noticed", async () => {
    const other = await putRaw(store, segmentName(8), codec, await stored(codec));
    await expect(readWalFile(store, other)).rejects.toEqual(damage(`it describes itself as '${name}'`));
  });

  test.each<[string, (description: WalDescription) => WalDescription, RegExp]>([
    [
      "members in another order",
      (d) => ({ ...d, members: [...d.members.slice(1), ...d.members.slice(0, 1)] }),
      /decompressed|SHA-256/,
    ],
    ["a member too few", (d) => ({ ...d, members: d.members.slice(1) }), /its members should have/],
    ["a larger size", (d) => ({ ...d, size: d.size + 1 }), /hold 1 bytes less than it says|cannot be decompressed/],
    ["a much larger size", (d) => ({ ...d, size: d.size * 2 }), /hold 600 bytes less than it says/],
    ["more than any segment has", (d) => ({ ...d, size: 2 * 1024 ** 3 }), /description behind its data is wrong/],
    ["members larger than any reader takes", (d) => ({ ...d, memberSize: 1024 ** 3 }), /description .* is wrong/],
    ["a stored member of gibibytes", (d) => ({ ...d, members: [...d.members, 1024 ** 3] }), /description .* is wrong/],
    ["a smaller size", (d) => ({ ...d, size: d.size - 1 }), /cannot be decompressed/],
    ["another member size", (d) => ({ ...d, memberSize: d.memberSize + 1 }), /cannot be decompressed/],
    [
      "another digest",
      (d) => ({ ...d, sha256: "0".repeat(64) }),
      /the SHA-256 of its plain bytes is not the recorded one/,
    ],
  ])("whose description tells %s is damage", async (_, change, message) => {
    const object = await putRaw(store, name, codec, await handMade(codec, change));
    await expect(readWalFile(store, object)).rejects.toEqual(damage(message));
  });

  test("that is larger than one request is read by its ranges", async () => {
    const plain = Buffer.alloc(1024);
    const members = await Promise.all([plain, plain].map((part) => compressMember(codec, part)));
    const description = formatWalDescription(
      {
        v: 1,
        name,
        size: 2048,
        sha256: sha256Hex(plain, plain),
        members: members.map(({ length }) => length),
        memberSize: 1024,
      },
      codec,
    );
    const object = await putRaw(store, name, codec, Buffer.concat([...members, description]));
    const ranges: unknown[] = [];
    const recording: ObjectStore = {
      ...store,
      get: async (key, options) => (ranges.push(options?.range), store.get(key, options)),
    };
    // Only its listed size makes it large: reading must then never ask for the whole.
    await expect(readWalFile(recording, { ...object, size: 65 * 1024 * 1024 })).rejects.toEqual(
      damage("its members should have"),
    );
    expect(ranges).toEqual([{ suffix: expect.any(Number) }]);
  });
});

describe("a bare object", () => {
  test("is yielded as it is, and says nothing of itself", async () => {
    const object = await putRaw(store, name, "none", bytes);
    expect(await readWalFile(store, object)).toEqual(bytes);
    await expect(readWalDescription(store, object)).rejects.toEqual(damage("a bare object does not describe itself"));
  });

  test("that holds more than a segment is damaged", async () => {
    const object = await putRaw(store, name, "none", bytes);
    expect(await readWalFile(store, object, { segmentSize: bytes.length })).toEqual(bytes);
    await expect(readWalFile(store, object, { segmentSize: bytes.length - 1 })).rejects.toEqual(
      damage("it holds more than"),
    );
  });

  test("that is empty gives nothing", async () => {
    expect(await readWalFile(store, await putRaw(store, name, "none", Buffer.alloc(0)))).toHaveLength(0);
  });
});

test("an object that is gone is missing, not damaged", async () => {
  await expect(readWalFile(store, { name, key: `wal/${name}.zst`, codec: "zstd", size: 100 })).rejects.toMatchObject({
    code: "OBJECT_MISSING",
  });
});

test("a reader that stops early, or whose signal aborts, ends without trouble", async () => {
  const object = await putRaw(store, name, "zstd", await handMade("zstd"));
  for await (const piece of getWalFile(store, object)) {
    expect(piece).toHaveLength(200);
    break;
  }
  await expect(readWalFile(store, object, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
});
