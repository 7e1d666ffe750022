import { describe, expect, test } from "vitest";
import {
  bytesOf,
  expectAbsent,
  expectContent,
  expectRejection,
  firedSignal,
  listKeys,
  type UseContext,
} from "./suite-context.ts";
import { compareKeys } from "../object-key.ts";
import { readObject } from "../read-object.ts";

/** Keys that some layer is tempted to read as something else. */
const ODD_NAMES: readonly string[] = [
  "plain.zst",
  "with space",
  " leading and trailing ",
  "plus+and%2Bencoded+plus",
  "percent%",
  "%2e%2e%2f",
  "question?mark=1&x",
  "hash#fragment",
  "quote'single\"double",
  "back\\slash",
  "colon:semicolon;comma,at@equals=",
  "brackets[]{}()<>",
  "star*dollar$tilde~caret^pipe|backtick`",
  "umlaut-äöü-ß",
  "combining-a\u0308",
  "cjk-漢字",
  "emoji-🐘",
  "private-use-\uE000",
  "noncharacter-\uFFFD",
  "dots..in...between",
  ".hidden",
  "trailing.",
  "-dash",
  "a/b/c/d/e/f",
  "base/2025-01-05T140312Z/backup.tar.gz",
  "x".repeat(255),
  `${"deep/".repeat(40)}leaf`,
];

const INVALID_KEYS: readonly (readonly [name: string, key: string])[] = [
  ["an empty one", ""],
  ["a leading slash", "/a"],
  ["a trailing slash", "a/"],
  ["a double slash", "a//b"],
  ["'.' as a segment", "a/./b"],
  ["'..' as a segment", "../a"],
  ["a control character", "a\u0000b"],
  ["a line feed", "a\nb"],
  ["a lone surrogate", "a\uD800b"],
  ["more than 1,024 bytes", "ä/".repeat(350)],
  ["a segment of more than 255 bytes", "ä".repeat(128)],
];

export function definePutSuite(use: UseContext): void {
  describe("put", () => {
    test("stores exactly the bytes of the body", async () => {
      const { store, key } = use();
      const body = bytesOf(100_000);
      const stored = await store.put(key("a"), body);
      expect(stored).toMatchObject({ key: key("a"), size: 100_000 });
      await expectContent(store, key("a"), body);
    });

    test("stores an empty object", async () => {
      const { store, key } = use();
      expect(await store.put(key("empty"), Buffer.alloc(0))).toMatchObject({ size: 0 });
      await expectContent(store, key("empty"), Buffer.alloc(0));
    });

    test("stores only the part of a buffer that a view shows", async () => {
      const { store, key } = use();
      const buffer = bytesOf(1000);
      await store.put(key("view"), buffer.subarray(100, 200));
      await expectContent(store, key("view"), buffer.subarray(100, 200));
    });

    test("does not look at the body after it has resolved", async () => {
      const { store, key } = use();
      const body = bytesOf(5000);
      const original = Buffer.from(body);
      await store.put(key("a"), body);
      body.fill(0);
      await expectContent(store, key("a"), original);
    });

    test("replaces an object when ifAbsent is not asked for, and its mark changes", async () => {
      const { store, key } = use();
      await store.put(key("a"), bytesOf(10, 1));
      const before = await store.stat(key("a"));
      await store.put(key("a"), bytesOf(20, 2));
      await expectContent(store, key("a"), bytesOf(20, 2));
      expect((await store.stat(key("a")))?.etag).not.toBe(before?.etag);
    });

    test("with ifAbsent stores a new object", async () => {
      const { store, key } = use();
      await store.put(key("a"), bytesOf(10), { ifAbsent: true });
      await expectContent(store, key("a"), bytesOf(10));
    });

    test("with ifAbsent refuses a taken key and keeps what is there", async () => {
      const { store, key } = use();
      await store.put(key("a"), bytesOf(10, 1));
      await expectRejection(store.put(key("a"), bytesOf(10, 2), { ifAbsent: true }), "OBJECT_EXISTS");
      await expectContent(store, key("a"), bytesOf(10, 1));
    });

    test("with ifAbsent by the server alone refuses a taken key, if the server can", async () => {
      const { store, key } = use();
      await store.put(key("a"), bytesOf(10, 1));
      const outcome = await store.put(key("a"), bytesOf(10, 2), { ifAbsent: "by-server" }).then(
        () => "stored",
        (error: unknown) => error,
      );
      if (store.features.conditionalPut === "honoured") expect(outcome).toMatchObject({ code: "OBJECT_EXISTS" });
      else if (store.features.conditionalPut === "refused")
        expect(outcome).toMatchObject({ code: "STORE_UNSUPPORTED" });
      else expect(outcome).toBe("stored");
    });

    test("of racing writers with ifAbsent leaves one whole body, and one winner where the server decides", async () => {
      const { store, key } = use();
      const bodies = Array.from({ length: 8 }, (_, index) => bytesOf(20_000 + index, index + 1));
      const outcomes = await Promise.allSettled(bodies.map((body) => store.put(key("race"), body, { ifAbsent: true })));
      const losers = outcomes.filter((outcome) => outcome.status === "rejected");
      for (const { reason } of losers) expect(reason).toMatchObject({ code: "OBJECT_EXISTS" });
      if (store.features.conditionalPut === "honoured") expect(losers).toHaveLength(7);
      const winner = await readObject(store, key("race"));
      expect(bodies.some((body) => body.equals(winner))).toBe(true);
    });

    test("takes many objects at once", async () => {
      const { store, key } = use();
      const names = Array.from({ length: 40 }, (_, index) => key(`parallel/${index}`));
      await Promise.all(names.map((name, index) => store.put(name, bytesOf(2000, index))));
      await Promise.all(names.map((name, index) => expectContent(store, name, bytesOf(2000, index))));
    });

    test("with a fired signal rejects with ABORTED and stores nothing", async () => {
      const context = use();
      await expectRejection(context.store.put(context.key("a"), bytesOf(10), { signal: firedSignal() }), "ABORTED");
      await expectAbsent(context, context.key("a"));
    });
  });

  defineKeySuite(use);
}

function defineKeySuite(use: UseContext): void {
  describe("keys", () => {
    test("of odd characters go through put, stat, get, list and remove as they are", async () => {
      const { store, key } = use();
      await Promise.all(ODD_NAMES.map((name) => store.put(key(name), Buffer.from(name), { ifAbsent: true })));
      await Promise.all(
        ODD_NAMES.map(async (name) => {
          expect(await store.stat(key(name)), name).toMatchObject({ key: key(name), size: Buffer.byteLength(name) });
          await expectContent(store, key(name), Buffer.from(name));
        }),
      );
      expect(await listKeys(store, key(""))).toEqual(ODD_NAMES.map(key).sort(compareKeys));
      await store.remove(ODD_NAMES.map(key));
      expect(await listKeys(store, key(""))).toEqual([]);
    });

    test.each(INVALID_KEYS)("with %s are refused by every method", async (_name, bad) => {
      const { store, partSize } = use();
      await expectRejection(store.put(bad, bytesOf(1)), "STORE_UNSUPPORTED");
      await expectRejection(store.beginMultipart(bad, { partSize }), "STORE_UNSUPPORTED");
      await expectRejection(store.get(bad), "STORE_UNSUPPORTED");
      await expectRejection(store.stat(bad), "STORE_UNSUPPORTED");
      await expectRejection(store.remove([bad]), "STORE_UNSUPPORTED");
    });

    test("never begin with a prefix of empty segments, dots or control characters", async () => {
      const { store } = use();
      for (const prefix of ["/", "../", "a//b", "a/../b", "a\u0001"]) {
        await expectRejection(listKeys(store, prefix), "STORE_UNSUPPORTED");
        await expectRejection(store.abortStaleUploads(prefix, new Date()), "STORE_UNSUPPORTED");
      }
    });

    test("beside one below them stay apart, or the second is refused", async () => {
      const { store, key } = use();
      await store.put(key("a"), bytesOf(10, 1));
      await store
        .put(key("a/b"), bytesOf(10, 2))
        .catch((error: unknown) => expect(error).toMatchObject({ code: "STORE_UNSUPPORTED" }));
      await expectContent(store, key("a"), bytesOf(10, 1));
      await store.put(key("c/d"), bytesOf(10, 3));
      await store
        .put(key("c"), bytesOf(10, 4))
        .catch((error: unknown) => expect(error).toMatchObject({ code: "STORE_UNSUPPORTED" }));
      await store
        .put(key("c"), bytesOf(10, 4), { ifAbsent: true })
        .catch((error: unknown) =>
          expect(error).toMatchObject({ code: expect.stringMatching(/^(STORE_UNSUPPORTED|OBJECT_EXISTS)$/) }),
        );
      await expectContent(store, key("c/d"), bytesOf(10, 3));
    });

    test("that are only the directory of another hold no object", async () => {
      const context = use();
      await context.store.put(context.key("dir/leaf"), bytesOf(10));
      await expectAbsent(context, context.key("dir"));
      await context.store.remove([context.key("dir")]);
      await expectContent(context.store, context.key("dir/leaf"), bytesOf(10));
    });
  });
}
