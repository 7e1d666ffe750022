import { execFileSync } from "node:child_process";
import { gunzipSync } from "node:zlib";
import { coarsenChanges, formatChanges, type SegmentChanges } from "@soar/pg-tools/changed-blocks";
import { compressMember, compressMemberSync } from "@soar/seekable-tar";
import { createMemoryStore, type ObjectStore, readObject } from "@soar/storage";
import { beforeEach, describe, expect, test } from "vitest";
import { changesOf, flipped, putRaw, segmentName, sourceOf, walBytes } from "../../test/wal-samples.ts";
import { sha256Hex } from "../records/digest.ts";
import { getWalFile, readWalFile } from "./get-wal.ts";
import { putWalFile } from "./put-wal.ts";
import { decodeWalChanges, encodeWalChanges, readWalChanges } from "./wal-changes.ts";
import { formatWalDescription } from "./wal-description.ts";

const name = segmentName(7);
const bytes = walBytes(1, 600);
const damaged = expect.objectContaining({ code: "REPOSITORY_DAMAGED" }) as Error;

/** That do not compress: distances of up to 2^21 units that nobody can foretell. */
function manyUnits(count: number): number[] {
  let [unit, state] = [0, 1];
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (unit += 1 + (state >>> 12) * (2 ** 28 / count / 2 ** 20));
  }).map(Math.floor);
}

let store: ObjectStore;
beforeEach(() => {
  store = createMemoryStore({ name: "m" });
});

describe.each(["zstd", "gzip"] as const)("the changed blocks in a %s object", (codec) => {
  const put = async (changes: SegmentChanges | undefined) =>
    (await putWalFile(store, { ...sourceOf(name, bytes), changes }, { codec })).object;

  test("are read as they were stored, and the segment without them", async () => {
    const object = await put(changesOf([1, 5, 900]));
    expect((await readWalChanges(store, object))?.decode()).toEqual(changesOf([1, 5, 900]));
    expect(await readWalFile(store, object)).toEqual(bytes);
  });

  test("are skipped by the ordinary program", async () => {
    const stored = await readObject(store, (await put(changesOf([3]))).key);
    const plain = codec === "gzip" ? gunzipSync(stored) : execFileSync("zstd", ["-dcq"], { input: stored });
    expect(plain).toEqual(bytes);
  });

  test("are read also where they are long", async () => {
    const changes = changesOf(manyUnits(20_000));
    const object = await put(changes);
    expect(object.size).toBeGreaterThan(20_000);
    expect((await readWalChanges(store, object))?.decode()).toEqual(changes);
  });

  test("are undefined where there are none", async () => {
    expect(await readWalChanges(store, await put(undefined))).toBeUndefined();
  });

  test("are named in larger units when they take too much room, and left out when that does not help", () => {
    const changes = changesOf(manyUnits(codec === "zstd" ? 900_000 : 60_000));
    const stored = encodeWalChanges(changes, codec);
    const read = decodeWalChanges(stored, codec, "here");
    expect(read.blocksPerUnit).toBeGreaterThan(16);
    let coarse = changes;
    while (coarse.blocksPerUnit < read.blocksPerUnit) coarse = coarsenChanges(coarse);
    expect(read).toEqual(coarse);
    const relations = manyUnits(codec === "zstd" ? 400_000 : 30_000).map((fileNumber) => ({
      tablespace: fileNumber,
      database: 4_000_000_000 - fileNumber,
      fileNumber,
      newFrom: 0,
      units: [],
    }));
    expect(encodeWalChanges({ ...changes, relations }, codec)).toHaveLength(0);
  });

  test("are refused with any bit flipped that counts, and when they are cut off", () => {
    const stored = encodeWalChanges(changesOf([1, 5]), codec);
    const read = (bytesOfThem: Buffer): unknown => {
      try {
        return decodeWalChanges(bytesOfThem, codec, "here");
      } catch (error) {
        return error;
      }
    };
    const found = Array.from(stored, (_, at) => read(flipped(stored, at)));
    // Two bytes of a gzip header say by whom and how hard it was compressed.
    const harmless = found.filter((each) => !(each instanceof Error));
    expect(harmless).toEqual(codec === "gzip" ? [changesOf([1, 5]), changesOf([1, 5])] : []);
    expect(found.filter((each) => each instanceof Error)).toEqual(
      Array.from({ length: stored.length - harmless.length }, () => damaged),
    );
    for (let at = 0; at < stored.length; at++) {
      expect(() => decodeWalChanges(stored.subarray(0, at), codec, "here"), `${at} bytes`).toThrow(damaged);
    }
  });

  test("are refused when they are none, and told when they are of a later version", () => {
    const framed = (plain: Buffer): Buffer => {
      const whole = encodeWalChanges(changesOf([]), codec);
      const old = compressMemberSync(codec, formatChanges(changesOf([])));
      const made = compressMemberSync(codec, plain);
      const at = whole.indexOf(old);
      const head = Buffer.from(whole.subarray(0, at));
      head.writeUInt32LE(plain.length, at - 4);
      const grown = made.length - old.length;
      if (codec === "zstd") head.writeUInt32LE(head.readUInt32LE(4) + grown, 4);
      else for (const place of [10, 14]) head.writeUInt16LE(head.readUInt16LE(place) + grown, place);
      return Buffer.concat([head, made, whole.subarray(at + old.length)]);
    };
    expect(() => decodeWalChanges(framed(Buffer.of(1, 0, 0, 0)), codec, "here")).toThrow(damaged);
    expect(() => decodeWalChanges(framed(Buffer.of(2)), codec, "here")).toThrow(
      expect.objectContaining({ code: "REPOSITORY_VERSION" }),
    );
  });

  test("are refused when they do not fit into the object, or it is another's", async () => {
    const member = await compressMember(codec, bytes);
    const described = (change: object) =>
      Buffer.concat([
        member,
        formatWalDescription(
          {
            v: 1,
            name,
            size: bytes.length,
            sha256: sha256Hex(bytes),
            members: [member.length],
            memberSize: 1024,
            ...change,
          },
          codec,
        ),
      ]);
    const long = await putRaw(store, name, codec, described({ changes: 50_000 }));
    await expect(readWalChanges(store, long)).rejects.toEqual(damaged);
    await expect(getWalFile(store, long).next()).rejects.toEqual(damaged);
    const other = await putRaw(store, segmentName(8), codec, described({}));
    await expect(readWalChanges(store, other)).rejects.toEqual(damaged);
  });
});

test("a bare object says nothing of changed blocks", async () => {
  const { object } = await putWalFile(store, { ...sourceOf(name, bytes), changes: changesOf([1]) }, { codec: "none" });
  expect(await readWalChanges(store, object)).toBeUndefined();
});
