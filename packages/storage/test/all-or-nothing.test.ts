import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createFileStore,
  createMemoryStore,
  type ObjectStore,
  readObject,
  readParallel,
  uploadStream,
  withRetry,
} from "@soar/storage";
import { type Fault, withFault } from "@soar/storage/testing";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { keysOf } from "./expect-rejection.ts";
import { openDriverOn, openS3ForTest, type S3ForTest } from "./s3-fixture.ts";

const PART_SIZE = 256;
const BODY = Buffer.from(Array.from({ length: PART_SIZE * 4 + 99 }, (_, index) => (index * 31) % 251));
const FUTURE = new Date(Date.now() + 3600_000);

async function* bodyStream(): AsyncGenerator<Uint8Array, void, void> {
  for (let offset = 0; offset < BODY.byteLength; offset += 100) yield BODY.subarray(offset, offset + 100);
}

async function upload(store: ObjectStore, ifAbsent = true): Promise<unknown> {
  return await uploadStream(store, "object", bodyStream(), {
    expectedSize: BODY.byteLength,
    partSize: PART_SIZE,
    parallel: 2,
    ifAbsent,
  });
}

/** Number of calls that a piece of work makes when nothing goes wrong. */
async function countCalls(store: ObjectStore, work: (store: ObjectStore) => Promise<unknown>): Promise<number> {
  const counting = withFault(store);
  await work(counting);
  return counting.calls;
}

/** The object is whole or not there, whatever happened; returns which. */
async function requireWholeOrAbsent(store: ObjectStore): Promise<"whole" | "absent"> {
  if ((await store.stat("object")) === undefined) return "absent";
  expect((await readObject(store, "object")).equals(BODY), "the object is whole").toBe(true);
  return "whole";
}

const DRIVERS: Readonly<Record<string, () => Promise<{ store: ObjectStore; cleanUp: () => Promise<void> }>>> = {
  memory: async () => ({ store: createMemoryStore(), cleanUp: async () => undefined }),
  file: async () => {
    const directory = await mkdtemp(join(tmpdir(), "soar-storage-"));
    return { store: createFileStore({ directory }), cleanUp: async () => await rm(directory, { recursive: true }) };
  },
  s3: async () => await openS3ForTest("aws"),
};

describe.each(Object.entries(DRIVERS))("on %s, a cut at every call", (_name, openDriver) => {
  let store: ObjectStore;
  let cleanUp: () => Promise<void>;
  beforeAll(async () => {
    ({ store, cleanUp } = await openDriver());
  });
  afterAll(async () => {
    await store.close();
    await cleanUp();
  });

  const cuts = async (work: (store: ObjectStore) => Promise<unknown>): Promise<Fault[]> => {
    const calls = await countCalls(store, work);
    await store.remove(["object"]);
    return Array.from({ length: calls }, (_, index) => index + 1).flatMap((atCall) => [
      { atCall, when: "before" as const },
      { atCall, when: "after" as const },
    ]);
  };

  test("of an upload leaves the whole object or none, and no parts", async () => {
    const faults = await cuts(upload);
    expect(faults.length).toBe(2 * 7); // begin, five parts, complete
    for (const fault of faults) {
      const failed = await upload(withFault(store, fault)).then(
        () => false,
        () => true,
      );
      expect(failed, JSON.stringify(fault)).toBe(true);
      const outcome = await requireWholeOrAbsent(store);
      expect(outcome, JSON.stringify(fault)).toBe(fault.atCall === 7 && fault.when === "after" ? "whole" : "absent");
      const leftOver = await store.abortStaleUploads("", FUTURE);
      // Whoever does not hear the answer to "begin" cannot give the upload back; that is what abortStaleUploads is for.
      expect(leftOver, JSON.stringify(fault)).toEqual(fault.atCall === 1 && fault.when === "after" ? ["object"] : []);
      await store.remove(["object"]);
    }
  });

  test("of an upload through withRetry ends with the whole object, or with OBJECT_EXISTS and the whole object", async () => {
    for (const fault of await cuts((cutStore) => upload(withRetry(cutStore)))) {
      const outcome = await upload(withRetry(withFault(store, fault), { baseDelayMs: 0 })).then(
        () => "stored",
        (error: unknown) => error,
      );
      if (outcome !== "stored")
        expect(outcome, JSON.stringify(fault)).toMatchObject({
          code: expect.stringMatching(/^(OBJECT_EXISTS|STORE_PROTOCOL)$/),
        });
      expect(await requireWholeOrAbsent(store)).toBe("whole");
      await store.abortStaleUploads("", FUTURE);
      await store.remove(["object"]);
    }
  });

  test("of reading through withRetry ends with all bytes", async () => {
    await store.put("object", BODY);
    const read = async (reader: ObjectStore): Promise<Buffer> => {
      const parts: Buffer[] = [];
      for await (const part of readParallel(reader, "object", { partSize: 300, parallel: 2 })) parts.push(part);
      return Buffer.concat(parts);
    };
    const calls = await countCalls(store, read);
    for (let atCall = 1; atCall <= calls; atCall += 1) {
      for (const when of ["before", "after"] as const) {
        expect((await read(withRetry(withFault(store, { atCall, when }), { baseDelayMs: 0 }))).equals(BODY)).toBe(true);
      }
      await expect(read(withFault(store, { atCall, when: "before" }))).rejects.toThrow("was made to fail");
    }
    await store.remove(["object"]);
  });

  test("of listing and removing through withRetry ends with every key listed once, and removed", async () => {
    const keys = Array.from({ length: 9 }, (_, index) => `k/${index}`);
    const work = async (worker: ObjectStore): Promise<string[]> => {
      const listed = await keysOf(worker.list("k/"));
      await worker.remove(listed);
      return listed;
    };
    const prepare = async (): Promise<unknown> => await Promise.all(keys.map((key) => store.put(key, BODY)));
    await prepare();
    const calls = await countCalls(store, work);
    for (let atCall = 1; atCall <= calls; atCall += 1) {
      for (const when of ["before", "after"] as const) {
        await prepare();
        expect(await work(withRetry(withFault(store, { atCall, when }), { baseDelayMs: 0 }))).toEqual(keys);
        expect(await keysOf(store.list("k/"))).toEqual([]);
      }
    }
  });
});

describe("on S3, a cut at every request", () => {
  let s3: S3ForTest;
  beforeAll(async () => {
    s3 = await openS3ForTest("aws");
  });
  afterAll(() => s3.cleanUp());

  afterEach(() => s3.server.clearFaults());

  test.each([
    { type: "reset-request", afterBytes: 0 },
    { type: "lost-reply" },
    { type: "busy" },
    { type: "reset-response", afterBytes: 0 },
  ] as const)("($type) leaves an upload whole or absent, and withRetry brings it to its end", async (fault) => {
    s3.server.requests.splice(0);
    await upload(s3.store, true);
    const requests = s3.server.requests.length;
    await s3.store.remove(["object"]);
    for (let skip = 0; skip < requests; skip += 1) {
      s3.server.inject({ skip, fault });
      const store = openDriverOn(s3.server);
      await upload(store, true).catch(() => undefined);
      s3.server.clearFaults();
      await requireWholeOrAbsent(s3.store);
      await s3.store.abortStaleUploads("", FUTURE);
      await s3.store.remove(["object"]);

      s3.server.inject({ skip, fault });
      await upload(withRetry(store, { baseDelayMs: 0 }), true);
      s3.server.clearFaults();
      expect(await requireWholeOrAbsent(s3.store), `cut at request ${skip + 1}`).toBe("whole");
      await s3.store.abortStaleUploads("", FUTURE);
      await s3.store.remove(["object"]);
      await store.close();
    }
  });
});
