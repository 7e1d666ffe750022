import { describe, expect, test } from "vitest";
import type { ByteRange } from "../object-store.ts";
import { collectBody, readObject } from "../read-object.ts";
import { readParallel } from "../read-parallel.ts";
import {
  bytesOf,
  collectItems,
  expectContent,
  expectRejection,
  firedSignal,
  type UseContext,
} from "./suite-context.ts";

const SIZE = 1000;

/** Range, and the part of a thousand bytes that it means. */
const RANGES: readonly (readonly [range: ByteRange, start: number, end: number])[] = [
  [{ offset: 0 }, 0, 1000],
  [{ offset: 0, length: 1 }, 0, 1],
  [{ offset: 0, length: 1000 }, 0, 1000],
  [{ offset: 0, length: 5000 }, 0, 1000],
  [{ offset: 1 }, 1, 1000],
  [{ offset: 500, length: 100 }, 500, 600],
  [{ offset: 990, length: 100 }, 990, 1000],
  [{ offset: 999 }, 999, 1000],
  [{ offset: 999, length: 1 }, 999, 1000],
  [{ offset: 500, length: 0 }, 500, 500],
  [{ suffix: 1 }, 999, 1000],
  [{ suffix: 300 }, 700, 1000],
  [{ suffix: 1000 }, 0, 1000],
  [{ suffix: 5000 }, 0, 1000],
  [{ suffix: 0 }, 1000, 1000],
];

export function defineGetSuite(use: UseContext): void {
  describe("get", () => {
    test("gives the whole object and its facts", async () => {
      const { store, writer, key } = use();
      await writer.put(key("a"), bytesOf(SIZE));
      const body = await store.get(key("a"));
      expect(body).toMatchObject({ offset: 0, length: SIZE, object: { key: key("a"), size: SIZE } });
      expect(body.object).toEqual(await store.stat(key("a")));
      expect((await collectBody(body)).equals(bytesOf(SIZE))).toBe(true);
    });

    test("gives exactly the range that was asked for, cut at the end of the object", async () => {
      const { store, writer, key } = use();
      const bytes = bytesOf(SIZE);
      await writer.put(key("a"), bytes);
      for (const [range, start, end] of RANGES) {
        const body = await store.get(key("a"), { range });
        expect(body, JSON.stringify(range)).toMatchObject({
          offset: start,
          length: end - start,
          object: { key: key("a"), size: SIZE },
        });
        expect((await collectBody(body)).equals(bytes.subarray(start, end)), JSON.stringify(range)).toBe(true);
        const whole = await readObject(store, key("a"), { range });
        expect(whole.equals(bytes.subarray(start, end)), JSON.stringify(range)).toBe(true);
      }
    });

    test("rejects a range behind the end", async () => {
      const { store, writer, key } = use();
      await writer.put(key("a"), bytesOf(SIZE));
      for (const range of [
        { offset: 1000 },
        { offset: 1000, length: 0 },
        { offset: 1000, length: 1 },
        { offset: 1001 },
        { offset: 4000, length: 10 },
      ]) {
        await expectRejection(readObject(store, key("a"), { range }), "STORE_PROTOCOL");
      }
    });

    test("gives nothing of an empty object, whatever part of it is asked for", async () => {
      const { store, writer, key } = use();
      await writer.put(key("empty"), Buffer.alloc(0));
      for (const range of [
        undefined,
        { offset: 0 },
        { offset: 0, length: 0 },
        { offset: 0, length: 10 },
        { suffix: 10 },
        { suffix: 0 },
      ]) {
        const body = await store.get(key("empty"), { range });
        expect(body, JSON.stringify(range)).toMatchObject({ offset: 0, length: 0, object: { size: 0 } });
        expect(await collectBody(body)).toHaveLength(0);
      }
    });

    test("takes a range of other than whole, positive numbers for a bug", async () => {
      const { store, writer, key } = use();
      await writer.put(key("a"), bytesOf(SIZE));
      for (const range of [
        { offset: -1 },
        { offset: 0.5 },
        { offset: 0, length: -1 },
        { suffix: -1 },
        { suffix: NaN },
      ]) {
        await expect(store.get(key("a"), { range }), JSON.stringify(range)).rejects.toThrow(RangeError);
      }
    });

    test("rejects with OBJECT_MISSING for a key that is not there", async () => {
      const { store, key } = use();
      await expectRejection(store.get(key("nothing")), "OBJECT_MISSING");
      await expectRejection(store.get(key("nothing"), { range: { offset: 5, length: 5 } }), "OBJECT_MISSING");
      await expectRejection(store.get(key("nothing"), { range: { suffix: 5 } }), "OBJECT_MISSING");
      await expectRejection(store.get(key("nothing"), { range: { suffix: 0 } }), "OBJECT_MISSING");
    });

    test("gives chunks that belong to the reader", async () => {
      const { store, writer, key } = use();
      const bytes = bytesOf(700_000);
      await writer.put(key("a"), bytes);
      const kept: Uint8Array[] = [];
      for await (const chunk of await store.get(key("a"))) kept.push(chunk);
      expect(Buffer.concat(kept).equals(bytes), "chunks kept to the end").toBe(true);
      for (const chunk of kept) chunk.fill(0);
      await expectContent(store, key("a"), bytes);
    });

    test("gives a body once", async () => {
      const { store, writer, key } = use();
      await writer.put(key("a"), bytesOf(SIZE));
      const body = await store.get(key("a"));
      await collectBody(body);
      await expect(collectBody(body)).rejects.toThrow(TypeError);
    });

    test("lets a reader stop in the middle", async () => {
      const { store, writer, key } = use();
      const bytes = bytesOf(700_000);
      await writer.put(key("a"), bytes);
      for (let round = 0; round < 5; round += 1) {
        for await (const chunk of await store.get(key("a"))) {
          expect(chunk.byteLength).toBeGreaterThan(0);
          break;
        }
      }
      await expectContent(store, key("a"), bytes);
    });

    test("serves many readers at once", async () => {
      const { store, writer, key } = use();
      const bytes = bytesOf(50_000);
      await writer.put(key("a"), bytes);
      const ranges = Array.from({ length: 30 }, (_, index) => ({ offset: index * 1000, length: 7000 }));
      const parts = await Promise.all(ranges.map((range) => readObject(store, key("a"), { range })));
      parts.forEach((part, index) => expect(part.equals(bytes.subarray(index * 1000, index * 1000 + 7000))).toBe(true));
    });

    test("with a fired signal rejects with ABORTED", async () => {
      const { store, writer, key } = use();
      await writer.put(key("a"), bytesOf(SIZE));
      await expectRejection(store.get(key("a"), { signal: firedSignal() }), "ABORTED");
    });

    test("ends a body with ABORTED when the signal fires", async () => {
      const { store, writer, key } = use();
      await writer.put(key("a"), bytesOf(3_000_000));
      const controller = new AbortController();
      const body = await store.get(key("a"), { signal: controller.signal });
      const readOn = async (): Promise<void> => {
        for await (const _chunk of body) controller.abort();
      };
      await expectRejection(readOn(), "ABORTED");
    });
  });

  describe("stat", () => {
    test("gives size, time and a mark that stays the same", async () => {
      const { store, writer, key } = use();
      await writer.put(key("a"), bytesOf(SIZE));
      const object = await store.stat(key("a"));
      expect(object).toMatchObject({ key: key("a"), size: SIZE, etag: expect.any(String) });
      expect(object?.modifiedAt).toBeInstanceOf(Date);
      expect(Math.abs(Date.now() - Number(object?.modifiedAt)), "milliseconds since").toBeLessThan(24 * 3600 * 1000);
      expect(await store.stat(key("a"))).toEqual(object);
    });

    test("gives undefined for a key that is not there", async () => {
      const { store, key } = use();
      expect(await store.stat(key("nothing"))).toBeUndefined();
    });

    test("with a fired signal rejects with ABORTED", async () => {
      const { store, key } = use();
      await expectRejection(store.stat(key("a"), { signal: firedSignal() }), "ABORTED");
    });
  });

  describe("readParallel", () => {
    test("gives the bytes that were asked for in order", async () => {
      const { store, writer, key } = use();
      const bytes = bytesOf(10_000);
      await writer.put(key("a"), bytes);
      for (const { offset, length } of [
        { offset: 0, length: undefined },
        { offset: 123, length: 4321 },
        { offset: 9_000, length: 1_000 },
        { offset: 10_000, length: 0 },
      ]) {
        const parts = await collectItems(readParallel(store, key("a"), { offset, length, partSize: 700, parallel: 3 }));
        expect(
          Buffer.concat(parts).equals(bytes.subarray(offset, length === undefined ? undefined : offset + length)),
        ).toBe(true);
      }
    });

    test("refuses a range that the object does not have", async () => {
      const { store, writer, key } = use();
      await writer.put(key("a"), bytesOf(1000));
      await expectRejection(
        collectItems(readParallel(store, key("a"), { offset: 500, length: 501 })),
        "STORE_PROTOCOL",
      );
      await expectRejection(collectItems(readParallel(store, key("nothing"))), "OBJECT_MISSING");
    });
  });
}
