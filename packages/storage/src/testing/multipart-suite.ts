import { describe, expect, test } from "vitest";
import type { MultipartUpload } from "../object-store.ts";
import { uploadStream } from "../upload-stream.ts";
import {
  bytesOf,
  expectAbsent,
  expectContent,
  expectRejection,
  firedSignal,
  listKeys,
  type SuiteContext,
  type UseContext,
} from "./suite-context.ts";
import { defineUnfinishedSuite } from "./unfinished-suite.ts";

const FUTURE_MS = 3600 * 1000;

export function defineMultipartSuite(use: UseContext): void {
  /** Three parts, the last one shorter. */
  const bodyFor = ({ partSize }: SuiteContext): Buffer => bytesOf(partSize * 2 + 17);
  const partOf = (context: SuiteContext, partNumber: number): Buffer =>
    bodyFor(context).subarray((partNumber - 1) * context.partSize, partNumber * context.partSize);
  const begin = async (context: SuiteContext, name = "big", ifAbsent = false): Promise<MultipartUpload> =>
    await context.store.beginMultipart(context.key(name), { partSize: context.partSize, ifAbsent });

  describe("upload in parts", () => {
    test("makes one object of parts that were sent in any order and at once", async () => {
      const context = use();
      const upload = await begin(context);
      expect(upload).toMatchObject({ key: context.key("big"), partSize: context.partSize });
      await Promise.all([3, 1, 2].map((partNumber) => upload.putPart(partNumber, partOf(context, partNumber))));
      expect(await upload.complete()).toMatchObject({ key: context.key("big"), size: context.partSize * 2 + 17 });
      await expectContent(context.store, context.key("big"), bodyFor(context));
      expect(await listKeys(context.store, context.key(""))).toEqual([context.key("big")]);
    });

    test("takes a single short part", async () => {
      const context = use();
      const upload = await begin(context);
      await upload.putPart(1, bytesOf(3));
      expect(await upload.complete()).toMatchObject({ size: 3 });
      await expectContent(context.store, context.key("big"), bytesOf(3));
    });

    test("shows nothing before it is complete", async () => {
      const context = use();
      const upload = await begin(context);
      await upload.putPart(1, partOf(context, 1));
      await expectAbsent(context, context.key("big"));
      expect(await listKeys(context.store, context.key(""))).toEqual([]);
      await upload.abort();
    });

    test("leaves nothing when it is aborted, also twice", async () => {
      const context = use();
      const upload = await begin(context);
      await upload.putPart(1, partOf(context, 1));
      await upload.abort();
      await upload.abort();
      await expectAbsent(context, context.key("big"));
      await expectRejection(upload.putPart(2, partOf(context, 2)), "STORE_PROTOCOL");
      await expectRejection(upload.complete(), "STORE_PROTOCOL");
    });

    test("keeps the object when it is aborted after it was completed", async () => {
      const context = use();
      const upload = await begin(context);
      await upload.putPart(1, bytesOf(3));
      await upload.complete();
      await upload.abort();
      await expectContent(context.store, context.key("big"), bytesOf(3));
    });

    test("takes the last version of a part that was sent again", async () => {
      const context = use();
      const upload = await begin(context);
      await upload.putPart(1, bytesOf(context.partSize, 9));
      await upload.putPart(2, bytesOf(context.partSize, 9));
      await upload.putPart(2, bytesOf(5, 4));
      await upload.putPart(1, bytesOf(context.partSize, 3));
      await upload.complete();
      await expectContent(
        context.store,
        context.key("big"),
        Buffer.concat([bytesOf(context.partSize, 3), bytesOf(5, 4)]),
      );
    });

    test.each([
      ["without any part", []],
      ["without the first part", [2, 3]],
      ["without a part in the middle", [1, 3]],
    ])("refuses to complete %s", async (_name, partNumbers) => {
      const context = use();
      const upload = await begin(context);
      for (const partNumber of partNumbers) await upload.putPart(partNumber, partOf(context, partNumber));
      await expectRejection(upload.complete(), "STORE_PROTOCOL");
      await expectAbsent(context, context.key("big"));
      await upload.abort();
    });

    test("refuses to complete with a short part before the last", async () => {
      const context = use();
      const upload = await begin(context);
      await upload.putPart(1, bytesOf(context.partSize - 1));
      await upload.putPart(2, bytesOf(10));
      await expectRejection(upload.complete(), "STORE_PROTOCOL");
      await expectAbsent(context, context.key("big"));
      await upload.abort();
    });

    test("takes a part of wrong length or number for a bug", async () => {
      const context = use();
      const upload = await begin(context);
      await expect(upload.putPart(1, bytesOf(context.partSize + 1))).rejects.toThrow(RangeError);
      await expect(upload.putPart(1, Buffer.alloc(0))).rejects.toThrow(RangeError);
      await expect(upload.putPart(0, bytesOf(1))).rejects.toThrow(RangeError);
      await expectRejection(upload.putPart(context.store.features.maxParts + 1, bytesOf(1)), "STORE_UNSUPPORTED");
      await upload.abort();
    });

    test("refuses part sizes outside of the store's limits", async () => {
      const { store, key } = use();
      const { minPartSize, maxPartSize } = store.features;
      await expectRejection(store.beginMultipart(key("big"), { partSize: maxPartSize + 1 }), "STORE_UNSUPPORTED");
      if (minPartSize > 1)
        await expectRejection(store.beginMultipart(key("big"), { partSize: minPartSize - 1 }), "STORE_UNSUPPORTED");
      await expect(store.beginMultipart(key("big"), { partSize: 0 })).rejects.toThrow(RangeError);
    });

    test("with ifAbsent refuses a key that was taken meanwhile and keeps what is there", async () => {
      const context = use();
      const upload = await begin(context, "big", true);
      await upload.putPart(1, partOf(context, 1));
      await context.store.put(context.key("big"), bytesOf(5));
      await expectRejection(upload.complete(), "OBJECT_EXISTS");
      await expectContent(context.store, context.key("big"), bytesOf(5));
      await upload.abort();
      await expectContent(context.store, context.key("big"), bytesOf(5));
    });

    test("with ifAbsent refuses a key that an equal object has taken", async () => {
      const context = use();
      for (const expected of ["stored", "OBJECT_EXISTS"]) {
        const upload = await begin(context, "big", true);
        await Promise.all([1, 2, 3].map((partNumber) => upload.putPart(partNumber, partOf(context, partNumber))));
        if (expected === "stored") await upload.complete();
        else await expectRejection(upload.complete(), "OBJECT_EXISTS");
        await upload.abort();
      }
      await expectContent(context.store, context.key("big"), bodyFor(context));
    });

    test("without ifAbsent replaces what is there", async () => {
      const context = use();
      await context.store.put(context.key("big"), bytesOf(5));
      const upload = await begin(context);
      await upload.putPart(1, bytesOf(7, 2));
      await upload.complete();
      await expectContent(context.store, context.key("big"), bytesOf(7, 2));
    });

    test("does not look at a part after it was sent", async () => {
      const context = use();
      const upload = await begin(context);
      const part = bytesOf(50);
      await upload.putPart(1, part);
      part.fill(0);
      await upload.complete();
      await expectContent(context.store, context.key("big"), bytesOf(50));
    });

    test("with a fired signal rejects with ABORTED and shows nothing", async () => {
      const context = use();
      const signal = firedSignal();
      await expectRejection(
        context.store.beginMultipart(context.key("big"), { partSize: context.partSize, signal }),
        "ABORTED",
      );
      const upload = await begin(context);
      await expectRejection(upload.putPart(1, bytesOf(1), { signal }), "ABORTED");
      await upload.putPart(1, bytesOf(1));
      await expectRejection(upload.complete({ signal }), "ABORTED");
      await expectAbsent(context, context.key("big"));
      await upload.abort();
    });
  });

  defineUnfinishedSuite(use, begin);
  defineStreamSuite(use);
}

function defineStreamSuite(use: UseContext): void {
  /** Chunks of odd lengths on one buffer that is reused, the way that network libraries do it. */
  async function* reusedChunks(bytes: Buffer): AsyncGenerator<Uint8Array, void, void> {
    const shared = Buffer.alloc(977);
    for (let offset = 0; offset < bytes.byteLength; offset += shared.byteLength) {
      const length = bytes.copy(shared, 0, offset);
      yield shared.subarray(0, length);
    }
  }

  describe("uploadStream", () => {
    test.each([
      ["nothing", 0, 0],
      ["less than a part", 0, -1],
      ["exactly a part", 1, 0],
      ["a byte more than a part", 1, 1],
      ["several parts", 3, 5],
    ])("stores a stream of %s", async (_name, parts, more) => {
      const { store, key, partSize } = use();
      const bytes = bytesOf(parts === 0 && more < 0 ? partSize - 1 : parts * partSize + more);
      const progress: number[] = [];
      const object = await uploadStream(store, key("stream"), reusedChunks(bytes), {
        expectedSize: bytes.byteLength,
        partSize,
        parallel: 2,
        ifAbsent: true,
        onProgress: (stored) => progress.push(stored),
      });
      expect(object).toMatchObject({ key: key("stream"), size: bytes.byteLength });
      expect(progress.at(-1)).toBe(bytes.byteLength);
      await expectContent(store, key("stream"), bytes);
    });

    test("shows nothing and leaves no parts when its source fails", async () => {
      const context = use();
      const { store, key, partSize } = context;
      const failing = async function* (): AsyncGenerator<Uint8Array, void, void> {
        yield bytesOf(partSize * 2 + 1);
        throw new Error("the source broke");
      };
      await expect(uploadStream(store, key("stream"), failing(), { expectedSize: 1, partSize })).rejects.toThrow(
        "the source broke",
      );
      await expectAbsent(context, key("stream"));
      expect(await store.abortStaleUploads(key(""), new Date(Date.now() + FUTURE_MS))).toEqual([]);
    });
  });
}
