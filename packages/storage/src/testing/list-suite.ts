import { describe, expect, test } from "vitest";
import { compareKeys } from "../object-key.ts";
import {
  bytesOf,
  collectItems,
  expectAbsent,
  expectContent,
  expectRejection,
  firedSignal,
  listKeys,
  listObjects,
  type UseContext,
} from "./suite-context.ts";

/** In byte order of UTF-8, which is neither that of UTF-16 nor that of directories first. */
const ORDERED: readonly string[] = [
  "A",
  "a-/x",
  "a-b",
  "a.b",
  "a/0",
  "a/b/c",
  "a/bb",
  "a0",
  "a1/x",
  "b",
  "b!",
  "b\u007Ex",
  "z/1",
  "z/10",
  "z/2",
  "ä",
  "\uD7FF",
  "\uE000",
  "\uFFFD",
  "🐘",
];

export function defineListSuite(use: UseContext): void {
  const prepare = async (names: readonly string[]): Promise<string[]> => {
    const { writer, key } = use();
    // Not in order, so that a store which lists by age shows itself.
    const backwards = names.toReversed();
    await Promise.all(backwards.map((name) => writer.put(key(name), Buffer.from(name))));
    return names.map(key);
  };

  describe("list", () => {
    test("yields nothing where nothing is", async () => {
      const { store, key } = use();
      expect(await listKeys(store, key(""))).toEqual([]);
      expect(await listKeys(store, key("no/such/place/"))).toEqual([]);
    });

    test("yields keys in ascending byte order, over as many pages as it takes", async () => {
      const { store, key } = use();
      const keys = await prepare(ORDERED);
      expect(await listKeys(store, key(""))).toEqual(keys);
    });

    test("yields exactly the keys that begin with the prefix", async () => {
      const { store, key } = use();
      const keys = await prepare(ORDERED);
      for (const prefix of ["a", "a/", "a/b", "a/b/", "a-", "z/1", "z/1/", "ä", "🐘", "c", "A"]) {
        expect(await listKeys(store, key(prefix)), prefix).toEqual(keys.filter((name) => name.startsWith(key(prefix))));
      }
    });

    test("yields exactly the keys after startAfter, which need not exist", async () => {
      const { store, key } = use();
      const keys = await prepare(ORDERED);
      for (const startAfter of [
        "A",
        "a",
        "a-b",
        "a.",
        "a/",
        "a/b",
        "a/b/",
        "a/b/c",
        "a/zz",
        "a0",
        "z/1",
        "z/",
        "\uFFFD",
        "🐘",
        "🐘z",
      ]) {
        expect(await listKeys(store, key(""), key(startAfter)), startAfter).toEqual(
          keys.filter((name) => compareKeys(name, key(startAfter)) > 0),
        );
      }
    });

    test("applies prefix and startAfter together", async () => {
      const { store, key } = use();
      await prepare(ORDERED);
      expect(await listKeys(store, key("z/"), key("z/1"))).toEqual([key("z/10"), key("z/2")]);
      expect(await listKeys(store, key("z/"), key("a"))).toEqual([key("z/1"), key("z/10"), key("z/2")]);
      expect(await listKeys(store, key("a/"), key("b"))).toEqual([]);
    });

    test("yields the same facts as stat", async () => {
      const { store, key } = use();
      await prepare(["one", "two/three"]);
      for (const { key: name, size, modifiedAt, etag } of await listObjects(store, key(""))) {
        const object = await store.stat(name);
        expect(size).toBe(object?.size);
        // Headers have whole seconds, listings may have more.
        expect(Math.floor(+modifiedAt / 1000)).toBe(Math.floor(Number(object?.modifiedAt) / 1000));
        if (etag !== undefined) expect(etag).toBe(object?.etag);
      }
    });

    test("lets a reader stop in the middle", async () => {
      const { store, key } = use();
      const keys = await prepare(ORDERED);
      for await (const { key: name } of store.list(key(""))) {
        expect(name).toBe(keys[0]);
        break;
      }
      expect(await listKeys(store, key(""))).toEqual(keys);
    });

    test("with a fired signal rejects with ABORTED", async () => {
      const { store, key } = use();
      await expectRejection(collectItems(store.list(key(""), { signal: firedSignal() })), "ABORTED");
    });
  });
}

export function defineRemoveSuite(use: UseContext): void {
  describe("remove", () => {
    test("removes exactly the keys that are named", async () => {
      const context = use();
      const { store, key } = context;
      const names = Array.from({ length: 25 }, (_, index) => key(`many/${String(index).padStart(2, "0")}`));
      await Promise.all(names.map((name) => store.put(name, bytesOf(5))));
      await store.remove(names.slice(5));
      expect(await listKeys(store, key(""))).toEqual(names.slice(0, 5));
      await expectAbsent(context, key("many/20"));
    });

    test("counts a key that is not there as removed", async () => {
      const { store, key } = use();
      await store.put(key("a"), bytesOf(5));
      await store.remove([key("a"), key("nothing"), key("no/such/place")]);
      await store.remove([key("a")]);
      expect(await listKeys(store, key(""))).toEqual([]);
    });

    test("takes a key twice, and none at all", async () => {
      const { store, key } = use();
      await store.put(key("a"), bytesOf(5));
      await store.remove([]);
      await store.remove([key("a"), key("a")]);
      expect(await listKeys(store, key(""))).toEqual([]);
    });

    test("gives the name free again", async () => {
      const { store, key } = use();
      await store.put(key("dir/a"), bytesOf(5, 1));
      await store.remove([key("dir/a")]);
      await store.put(key("dir/a"), bytesOf(6, 2), { ifAbsent: true });
      await expectContent(store, key("dir/a"), bytesOf(6, 2));
    });

    test("beside puts into the same place loses nothing", async () => {
      const { store, key } = use();
      const rounds = Array.from({ length: 20 }, (_, index) => index);
      await Promise.all(
        rounds.map(async (index) => {
          await store.put(key(`busy/deep/${index}`), bytesOf(5, index), { ifAbsent: true });
          if (index % 2 === 0) await store.remove([key(`busy/deep/${index}`)]);
        }),
      );
      expect((await listKeys(store, key(""))).sort()).toEqual(
        rounds
          .filter((index) => index % 2 === 1)
          .map((index) => key(`busy/deep/${index}`))
          .sort(),
      );
    });

    test("with a fired signal rejects with ABORTED and removes nothing", async () => {
      const { store, key } = use();
      await store.put(key("a"), bytesOf(5));
      await expectRejection(store.remove([key("a")], { signal: firedSignal() }), "ABORTED");
      await expectContent(store, key("a"), bytesOf(5));
    });
  });
}
