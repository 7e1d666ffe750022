import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compressMember, type Codec } from "@soar/seekable-tar";
import { createFileStore, createMemoryStore, type ObjectStore } from "@soar/storage";
import { withFault } from "@soar/storage/testing";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { keysOf, putRaw, segmentName, sourceOf, sparseSource, walBytes } from "../../test/wal-samples.ts";
import { getWalFile, readWalDescription, readWalFile } from "./get-wal.ts";
import { joinWalObject, type WalFileSource } from "./encode-wal.ts";
import { findWalObjects, putWalFile } from "./put-wal.ts";

const directory = mkdtempSync(join(tmpdir(), "soar-put-wal-"));
afterAll(() => rmSync(directory, { recursive: true }));

const CODECS = ["zstd", "gzip", "none"] as const;
const name = segmentName(7);
const bytes = walBytes(1);
let runs = 0;

describe.each<[string, () => ObjectStore]>([
  ["memory", () => createMemoryStore()],
  ["file", () => createFileStore({ directory: mkdtempSync(join(directory, `run-${runs++}-`)) })],
])("a segment in a %s store", (_, create) => {
  let store: ObjectStore;
  beforeEach(() => {
    store = create();
  });

  test.each(CODECS)("%s: is archived, and read back as it was", async (codec) => {
    const { outcome, object } = await putWalFile(store, sourceOf(name, bytes), { codec });
    expect(outcome).toBe("archived");
    expect(await findWalObjects(store, name)).toEqual([object]);
    expect(await readWalFile(store, object)).toEqual(bytes);
  });

  test.each(CODECS.flatMap((first) => CODECS.map((second) => [first, second] as const)))(
    "archived as %s and again as %s is success, and nothing is stored twice",
    async (first, second) => {
      const { object } = await putWalFile(store, sourceOf(name, bytes), { codec: first });
      expect(await putWalFile(store, sourceOf(name, bytes), { codec: second })).toEqual({
        outcome: "already archived",
        object,
      });
      expect(await keysOf(store)).toEqual([object.key]);
    },
  );

  test.each(CODECS.flatMap((first) => CODECS.map((second) => [first, second] as const)))(
    "archived as %s, then other bytes as %s: refused, and the first bytes stay",
    async (first, second) => {
      const { object } = await putWalFile(store, sourceOf(name, bytes), { codec: first });
      const other = putWalFile(store, sourceOf(name, walBytes(2)), { codec: second });
      await expect(other).rejects.toMatchObject({
        code: "WAL_CONFLICT",
        message: `unable to archive '${name}': '${store.location}/${object.key}' holds other bytes`,
        hint: expect.stringContaining("Nothing was overwritten"),
      });
      expect(await keysOf(store)).toEqual([object.key]);
      expect(await readWalFile(store, object)).toEqual(bytes);
    },
  );

  test.each(CODECS)("%s: other bytes of another length are refused", async (codec) => {
    await putWalFile(store, sourceOf(name, bytes), { codec });
    await expect(putWalFile(store, sourceOf(name, walBytes(1, 2001)), { codec })).rejects.toMatchObject({
      code: "WAL_CONFLICT",
    });
  });
});

describe("a file that is no full segment", () => {
  test.each(["00000002.history", `${name}.00000028.backup`])("%s is stored bare, whatever the codec", async (file) => {
    const store = createMemoryStore();
    const { object } = await putWalFile(
      store,
      sourceOf(file, Buffer.from("1\t0/3000000\tno recovery target specified\n")),
      { codec: "zstd" },
    );
    expect(object).toMatchObject({ key: `wal/${file}`, codec: "none" });
    await expect(putWalFile(store, sourceOf(file, Buffer.from("other")), { codec: "zstd" })).rejects.toMatchObject({
      code: "WAL_CONFLICT",
    });
  });

  test("a partial segment lies beside the full one, and neither is taken for the other", async () => {
    const store = createMemoryStore();
    await putWalFile(store, sourceOf(`${name}.partial`, walBytes(3)), { codec: "zstd" });
    expect(await putWalFile(store, sourceOf(name, bytes), { codec: "zstd" })).toMatchObject({ outcome: "archived" });
    await putWalFile(store, sourceOf(`${name}.00000028.backup`, Buffer.from("x")), { codec: "zstd" });
    expect((await findWalObjects(store, name)).map(({ key }) => key)).toEqual([`wal/${name}.zst`]);
    expect((await findWalObjects(store, `${name}.partial`)).map(({ key }) => key)).toEqual([`wal/${name}.partial.zst`]);
  });
});

describe("what lies there already", () => {
  test("in two codecs is success only if both hold these bytes", async () => {
    const store = createMemoryStore();
    const elsewhere = createMemoryStore();
    await putWalFile(store, sourceOf(name, bytes), { codec: "zstd" });
    await putWalFile(elsewhere, sourceOf(name, walBytes(2)), { codec: "gzip" });
    for await (const { key } of elsewhere.list("wal/"))
      for await (const chunk of await elsewhere.get(key)) await store.put(key, chunk);
    await expect(putWalFile(store, sourceOf(name, bytes), { codec: "zstd" })).rejects.toMatchObject({
      code: "WAL_CONFLICT",
      message: expect.stringContaining(".gz"),
    });
  });

  test("encrypted stops archiving instead of not being seen", async () => {
    const store = createMemoryStore();
    await store.put(`wal/${name}.zst.age`, Buffer.from("age-encryption.org/v1"));
    await expect(putWalFile(store, sourceOf(name, bytes), { codec: "zstd" })).rejects.toMatchObject({
      code: "REPOSITORY_VERSION",
    });
  });

  test.each(["zstd", "gzip"] as const)("%s without a description is damage, not success", async (codec) => {
    const store = createMemoryStore();
    await putRaw(store, name, codec, walBytes(1));
    await expect(putWalFile(store, sourceOf(name, bytes), { codec })).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
    });
  });

  test("under a name that only its listing hides is told as a fault of the store", async () => {
    const store = createMemoryStore();
    await putWalFile(store, sourceOf(name, bytes), { codec: "zstd" });
    const blind: ObjectStore = { ...store, async *list() {} };
    await expect(putWalFile(blind, sourceOf(name, bytes), { codec: "zstd" })).rejects.toMatchObject({
      code: "STORE_PROTOCOL",
    });
  });
});

describe("a file that was compressed while it was hashed", () => {
  /** Its bytes cannot be read again. */
  const encoded = (file: string, codec: Codec, object: Buffer): WalFileSource => ({
    ...sourceOf(file, bytes),
    open: () => {
      throw new Error("it was read a second time");
    },
    encoded: { codec, object },
  });

  test.each(CODECS)("%s: is stored without being read again", async (codec) => {
    const store = createMemoryStore();
    const whole = joinWalObject(sourceOf(name, bytes), codec, await compressMember(codec, bytes));
    const { object } = await putWalFile(store, encoded(name, codec, whole), { codec });
    expect(object).toMatchObject({ codec, key: expect.stringMatching(`^wal/${name}`) });
    expect(await readWalFile(store, object)).toEqual(bytes);
    expect(await putWalFile(store, sourceOf(name, bytes), { codec })).toMatchObject({ outcome: "already archived" });
  });

  test("is read again where it is to be stored in another form", async () => {
    const store = createMemoryStore();
    const source = { ...encoded(name, "gzip", Buffer.from("not to be used")), open: sourceOf(name, bytes).open };
    const { object } = await putWalFile(store, source, { codec: "zstd" });
    expect(await readWalFile(store, object)).toEqual(bytes);
  });
});

test("what is held in memory is not hashed a second time, and has to be whole all the same", async () => {
  const store = createMemoryStore();
  const held = { ...sourceOf(name, bytes), sha256: "0".repeat(64), isHeld: true };
  await expect(putWalFile(store, { ...held, isHeld: false }, { codec: "none" })).rejects.toThrow("changed");
  await expect(putWalFile(store, { ...held, size: 1 }, { codec: "none" })).rejects.toThrow("changed");
  expect(await putWalFile(store, held, { codec: "none" })).toMatchObject({ outcome: "archived" });
});

describe("a file that changes while it is read", () => {
  test.each([
    ["gets longer", Buffer.concat([bytes, bytes])],
    ["gets shorter", bytes.subarray(1)],
    ["changes", walBytes(9)],
  ])("and %s, is not stored", async (_, later) => {
    const store = createMemoryStore();
    const source = { ...sourceOf(name, bytes), open: sourceOf(name, later).open };
    await expect(putWalFile(store, source, { codec: "zstd" })).rejects.toMatchObject({ code: "WAL_INVALID" });
    expect(await keysOf(store)).toEqual([]);
  });
});

test.each(CODECS)(
  "%s: a cut at any call leaves either nothing or the whole, and the next run succeeds",
  async (codec) => {
    const rehearsal = withFault(createMemoryStore());
    await putWalFile(rehearsal, sourceOf(name, bytes), { codec });
    for (let atCall = 1; atCall <= rehearsal.calls; atCall += 1) {
      for (const when of ["before", "after"] as const) {
        const store = createMemoryStore();
        await expect(
          putWalFile(withFault(store, { atCall, when }), sourceOf(name, bytes), { codec }),
        ).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
        const again = await putWalFile(store, sourceOf(name, bytes), { codec });
        expect(await readWalFile(store, again.object)).toEqual(bytes);
        expect(await keysOf(store)).toHaveLength(1);
      }
    }
  },
);

test.each(CODECS)(
  "%s: two writers at once, of equal bytes: both succeed; of other bytes: one is refused",
  async (codec) => {
    const race = async (seeds: readonly number[]) => {
      const store = createMemoryStore();
      const results = await Promise.allSettled(
        seeds.map((seed) => putWalFile(store, sourceOf(name, walBytes(seed)), { codec })),
      );
      return {
        store,
        results,
        codes: results
          .map((result) =>
            result.status === "fulfilled" ? result.value.outcome : String((result.reason as { code?: string }).code),
          )
          .sort(),
      };
    };
    expect((await race([1, 1])).codes).toEqual(["already archived", "archived"]);
    const { store, results, codes } = await race([1, 2]);
    expect(codes).toEqual(["WAL_CONFLICT", "archived"]);
    const winner = results[0]?.status === "fulfilled" ? 1 : 2;
    const [object] = await findWalObjects(store, name);
    expect(object && (await readWalFile(store, object))).toEqual(walBytes(winner));
  },
);

test("two writers at once with different codecs and other bytes: whoever comes next sees the conflict", async () => {
  const store = createMemoryStore();
  await Promise.allSettled([
    putWalFile(store, sourceOf(name, walBytes(1)), { codec: "zstd" }),
    putWalFile(store, sourceOf(name, walBytes(2)), { codec: "gzip" }),
  ]);
  expect(await keysOf(store)).toHaveLength(2);
  for (const seed of [1, 2])
    await expect(putWalFile(store, sourceOf(name, walBytes(seed)), { codec: "zstd" })).rejects.toMatchObject({
      code: "WAL_CONFLICT",
    });
});

describe("a segment above 32 MiB", () => {
  const size = 80 * 1024 * 1024 + 12_345;

  test.each<Codec>(["zstd", "gzip"])("%s: is stored and read member by member", async (codec) => {
    const store = createMemoryStore();
    const source = sparseSource(name, size);
    const { object } = await putWalFile(store, source, { codec, level: 1 });
    const { description } = await readWalDescription(store, object);
    expect(description.members).toHaveLength(6);
    expect(await putWalFile(store, source, { codec })).toMatchObject({ outcome: "already archived" });
  });

  test("that does not compress is read member by member, and never lies in memory as a whole", async () => {
    const store = createMemoryStore();
    const source = sparseSource(name, size);
    const { object } = await putWalFile(store, source, { codec: "gzip", level: 0 });
    expect(object.size).toBeGreaterThan(size);
    const reads: (number | undefined)[] = [];
    const watched: ObjectStore = {
      ...store,
      get: async (key, options) => {
        const body = await store.get(key, options);
        reads.push(body.length);
        return body;
      },
    };
    const hash = createHash("sha256");
    for await (const plain of getWalFile(watched, object)) hash.update(plain);
    expect(hash.digest("hex")).toBe(source.sha256);
    // Its description, and six members.
    expect(reads).toHaveLength(7);
    expect(Math.max(...reads.map(Number))).toBeLessThan(17 * 1024 * 1024);
  });

  test("bare, goes up in parts and is compared as a whole", async () => {
    const store = createMemoryStore();
    let uploads = 0;
    const counting: ObjectStore = {
      ...store,
      beginMultipart: async (key, options) => ((uploads += 1), store.beginMultipart(key, options)),
    };
    const source = sparseSource(name, size);
    const { object } = await putWalFile(counting, source, { codec: "none" });
    expect({ size: object.size, uploads }).toEqual({ size, uploads: 1 });
    expect(await putWalFile(store, source, { codec: "none" })).toMatchObject({ outcome: "already archived" });
    await expect(putWalFile(store, { ...source, sha256: "0".repeat(64) }, { codec: "none" })).rejects.toMatchObject({
      code: "WAL_CONFLICT",
    });
  });

  test("that changes under our hands leaves nothing, not even parts", async () => {
    const store = createMemoryStore();
    await expect(
      putWalFile(store, { ...sparseSource(name, size), sha256: "0".repeat(64) }, { codec: "none" }),
    ).rejects.toMatchObject({ code: "WAL_INVALID" });
    expect(await keysOf(store)).toEqual([]);
    expect(await store.abortStaleUploads("", new Date(8e15))).toEqual([]);
  });
});
