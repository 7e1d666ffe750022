import { expect, test } from "vitest";
import { createMemoryStore } from "./drivers/memory.ts";
import type { ObjectStore } from "./object-store.ts";
import { readObject } from "./read-object.ts";
import { readParallel } from "./read-parallel.ts";
import { uploadStream } from "./upload-stream.ts";

const SMALL_PARTS = { features: { maxParts: 4, minPartSize: 1 } };

async function* chunksOf(
  sizes: readonly number[],
  onClose: () => void = () => undefined,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (const [index, size] of sizes.entries()) yield Buffer.alloc(size, index + 1);
  } finally {
    onClose();
  }
}

test("refuses a stream that needs more parts than the store takes, and gives the parts back", async () => {
  const store = createMemoryStore(SMALL_PARTS);
  await expect(
    uploadStream(store, "a", chunksOf([10, 10, 10, 10, 10]), { expectedSize: 20, partSize: 10 }),
  ).rejects.toMatchObject({
    code: "STORE_UNSUPPORTED",
    hint: expect.stringContaining("larger expected size"),
  });
  expect(await store.abortStaleUploads("", new Date(Date.now() + 1000))).toEqual([]);
});

test("closes its source when the store fails", async () => {
  let closed = 0;
  const store: ObjectStore = {
    ...createMemoryStore(),
    beginMultipart: () => Promise.reject(new Error("no upload today")),
  };
  await expect(
    uploadStream(
      store,
      "a",
      chunksOf([10, 10, 10], () => (closed += 1)),
      { expectedSize: 1, partSize: 10 },
    ),
  ).rejects.toThrow("no upload today");
  expect(closed).toBe(1);
});

test("never holds more than the parts that are allowed on their way", async () => {
  const memory = createMemoryStore();
  let underway = 0;
  let most = 0;
  const store: ObjectStore = {
    ...memory,
    async beginMultipart(key, options) {
      const upload = await memory.beginMultipart(key, options);
      return {
        ...upload,
        async putPart(partNumber, body) {
          most = Math.max(most, (underway += 1));
          await new Promise((resolve) => setImmediate(resolve));
          await upload.putPart(partNumber, body);
          underway -= 1;
        },
      };
    },
  };
  await uploadStream(store, "a", chunksOf(Array.from({ length: 20 }, () => 10)), {
    expectedSize: 1,
    partSize: 10,
    parallel: 3,
  });
  expect(most).toBe(3);
  expect((await readObject(store, "a")).byteLength).toBe(200);
});

test("copies its source: parts on their way do not change when the source's buffer is filled again", async () => {
  const memory = createMemoryStore();
  const store: ObjectStore = {
    ...memory,
    async beginMultipart(key, options) {
      const upload = await memory.beginMultipart(key, options);
      return {
        ...upload,
        async putPart(partNumber, body) {
          await new Promise((resolve) => setImmediate(resolve));
          await upload.putPart(partNumber, body);
        },
      };
    },
  };
  const shared = Buffer.alloc(10);
  async function* refilled(): AsyncGenerator<Uint8Array, void, void> {
    for (let value = 1; value <= 5; value += 1) yield shared.fill(value);
  }
  await uploadStream(store, "a", refilled(), { expectedSize: 1, partSize: 10, parallel: 5 });
  expect([...new Set(await readObject(store, "a"))]).toEqual([1, 2, 3, 4, 5]);
});

test("refuses a result of another size", async () => {
  const memory = createMemoryStore();
  const store: ObjectStore = {
    ...memory,
    async beginMultipart(key, options) {
      const upload = await memory.beginMultipart(key, options);
      return { ...upload, complete: async () => ({ ...(await upload.complete()), size: 1 }) };
    },
  };
  await expect(uploadStream(store, "a", chunksOf([10, 10]), { expectedSize: 1, partSize: 10 })).rejects.toMatchObject({
    code: "STORE_PROTOCOL",
  });
});

test("readObject refuses an object that is longer than it may be, without reading it", async () => {
  const store = createMemoryStore();
  await store.put("a", Buffer.alloc(100));
  await expect(readObject(store, "a", { maxBytes: 99 })).rejects.toMatchObject({
    code: "STORE_PROTOCOL",
    message: expect.stringContaining("at most 99 were expected"),
  });
  expect(await readObject(store, "a", { maxBytes: 100 })).toHaveLength(100);
});

test("readParallel notices an object that is replaced while it is read", async () => {
  const store = createMemoryStore();
  await store.put("a", Buffer.alloc(100, 1));
  const read = async (): Promise<void> => {
    for await (const part of readParallel(store, "a", { partSize: 10, parallel: 1 })) {
      expect(part.every((byte) => byte === 1)).toBe(true);
      await store.put("a", Buffer.alloc(100, 2));
    }
  };
  await expect(read()).rejects.toMatchObject({ code: "STORE_PROTOCOL" });
});

test("readParallel gives up its requests when the reader stops", async () => {
  const memory = createMemoryStore();
  await memory.put("a", Buffer.alloc(100, 1));
  const signals: (AbortSignal | undefined)[] = [];
  const store: ObjectStore = {
    ...memory,
    get(key, options) {
      signals.push(options?.signal);
      return memory.get(key, options);
    },
  };
  for await (const part of readParallel(store, "a", { partSize: 10, parallel: 3 })) {
    expect(part).toHaveLength(10);
    break;
  }
  expect(signals).toHaveLength(3);
  expect(signals.every((signal) => signal?.aborted)).toBe(true);
});
