import { randomFillSync } from "node:crypto";
import { openStore, type ObjectStore, readObject, readParallel, type StoreConfig, uploadStream } from "@soar/storage";
import { type Fault, type S3ServerProcess, startS3ServerProcess } from "@soar-tooling/s3-server";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { expectRejection } from "./expect-rejection.ts";

const MIB = 1024 ** 2;
const PART = 8 * MIB;
const ROUNDS = 2;

/** In a process of its own, so that it answers while this one is at work, as real servers do. */
let server: S3ServerProcess;
const opened: ObjectStore[] = [];
beforeAll(async () => {
  server = await startS3ServerProcess({ tls: true });
});
afterEach(async () => {
  await server.clearFaults();
  for (const store of opened.splice(0)) await store.close();
});
afterAll(() => server.close());

function open(config: Partial<StoreConfig> = {}): ObjectStore {
  const { bucket, endpoint, region, accessKeyId, secretAccessKey, caPem } = server;
  const store = openStore({
    url: `s3://${bucket}`,
    endpoint,
    region,
    caPem,
    credentials: { accessKeyId, secretAccessKey },
    retry: { baseDelayMs: 1, maxDelayMs: 10 },
    ...config,
  });
  opened.push(store);
  return store;
}

const RANDOM = randomFillSync(Buffer.allocUnsafeSlow(PART));

/** A part that no other number has, in memory that may be used again. */
function bodyOf(number: number, memory = Buffer.allocUnsafeSlow(PART)): typeof memory {
  RANDOM.copy(memory);
  for (let offset = 0; offset < PART; offset += MIB) memory.writeUInt32BE(number, offset);
  return memory;
}

async function* bodies(count: number): AsyncGenerator<Buffer, void, void> {
  const memory = Buffer.allocUnsafeSlow(PART);
  for (let number = 0; number < count; number += 1) yield bodyOf(number, memory);
}

async function expectBodies(read: AsyncIterable<Uint8Array>, count: number): Promise<void> {
  let number = 0;
  let offset = 0;
  let expected = bodyOf(number);
  for await (const chunk of read) {
    for (let taken = 0; taken < chunk.length;) {
      const piece = chunk.subarray(taken, taken + PART - offset);
      if (expected.compare(piece, 0, piece.length, offset, offset + piece.length) !== 0)
        throw new Error(`other bytes than were sent between ${offset} and ${offset + piece.length} of body ${number}`);
      taken += piece.length;
      offset = (offset + piece.length) % PART;
      if (offset === 0) expected = bodyOf((number += 1), expected);
    }
  }
  expect([number, offset]).toEqual([count, 0]);
}

const MANNERS = [
  ["that wait for '100 Continue'", {}],
  ["that do not wait", { expectContinue: "refused" }],
  ["that are signed by their SHA-256", { payloadSignature: "sha256" }],
] as const satisfies [string, StoreConfig["habits"]][];

describe("large bodies over TLS", () => {
  test.each(MANNERS)("%s all arrive, four at a time, none of them twice", async (_name, habits) => {
    // Without another attempt: one body that is not taken fails the test.
    const store = open({ habits, retry: false, idleTimeoutMs: 10_000 });
    const put = async (slot: number): Promise<void> => {
      const memory = Buffer.allocUnsafeSlow(PART);
      // What is stored is looked at by its MD5 each time, and at the end by its bytes.
      for (let round = 0; round < ROUNDS; round += 1) await store.put(`slot-${slot}`, bodyOf(4 * round + slot, memory));
    };
    await Promise.all([0, 1, 2, 3].map(put));
    for (const slot of [0, 1, 2, 3])
      expect((await readObject(store, `slot-${slot}`)).equals(bodyOf(4 * (ROUNDS - 1) + slot)), `slot ${slot}`).toBe(
        true,
      );
  });

  test("are uploaded in parts, and read whole and by ranges, as they were sent", async () => {
    const store = open({ retry: false, idleTimeoutMs: 10_000, rateLimitBytesPerSecond: 1024 * MIB });
    await uploadStream(store, "parts", bodies(4), { expectedSize: 4 * PART, partSize: PART });
    await expectBodies(readParallel(store, "parts"), 4);
    await expectBodies(await store.get("parts"), 4);
  });
});

const EARLY: Fault[] = [
  { type: "early-reply", afterBytes: 1 },
  { type: "early-reply", afterBytes: PART - 1 },
];

/** The limits of time are far above what this machine needs for a part. */
const TROUBLES: [string, Fault][] = [
  ["is too busy for a part", { type: "busy" }],
  ["answers late", { type: "delay", ms: 50 }],
  ["reads slowly", { type: "slow-request", bytesPerSecond: 100 * MIB }],
  ["has read a part to its middle, and resets the connection", { type: "reset-request", afterBytes: PART / 2 }],
  ["has read a part to its middle, and reads no more", { type: "stall-request", afterBytes: PART / 2 }],
  ["stores a part, and its answer is lost", { type: "lost-reply" }],
  ["says nothing", { type: "stall" }],
];

describe("a server that", () => {
  test.each(MANNERS)("answers 200 before it has read bodies %s has them all in the end", async (_name, habits) => {
    const store = open({ habits, retry: false, idleTimeoutMs: 10_000 });
    for (const fault of EARLY) {
      const rule = await server.inject({ operation: "UploadPart", times: "always", fault });
      await uploadStream(store, "parts", bodies(2), { expectedSize: 2 * PART, partSize: PART });
      expect(await rule.hits()).toBe(2);
      await server.clearFaults();
      await expectBodies(readParallel(store, "parts"), 2);
    }
  });

  test.each(TROUBLES)("%s has all parts in the end", async (_name, fault) => {
    const store = open({ idleTimeoutMs: 1_000 });
    const rule = await server.inject({ operation: "UploadPart", times: 2, fault });
    await uploadStream(store, "parts", bodies(2), { expectedSize: 2 * PART, partSize: PART });
    expect(await rule.hits()).toBe(2);
    await server.clearFaults();
    await expectBodies(readParallel(store, "parts"), 2);
  });

  test.each<[string, Fault]>([
    ["sends slowly", { type: "slow-response", bytesPerSecond: 100 * MIB }],
    ["resets the connection in the middle", { type: "reset-response", afterBytes: PART / 2 }],
    ["ends it in the middle", { type: "truncate-response", afterBytes: PART / 2 }],
    ["falls silent in the middle", { type: "stall-response", afterBytes: PART / 2 }],
  ])("%s is read to the end", async (_name, fault) => {
    const store = open({ idleTimeoutMs: 1_000 });
    await uploadStream(store, "parts", bodies(2), { expectedSize: 2 * PART, partSize: PART });
    const rule = await server.inject({ operation: "GetObject", times: 2, fault });
    await expectBodies(readParallel(store, "parts"), 2);
    expect(await rule.hits()).toBe(2);
  });

  test("reads so slowly that a part takes too long is left, and has the part in the end", async () => {
    const store = open({ requestTimeoutMs: 3_000 });
    const fault: Fault = { type: "slow-request", bytesPerSecond: MIB };
    const rule = await server.inject({ operation: "UploadPart", fault });
    await uploadStream(store, "parts", bodies(2), { expectedSize: 2 * PART, partSize: PART });
    expect(await rule.hits()).toBe(1);
    await expectBodies(readParallel(store, "parts"), 2);
  });

  test("takes a body that nobody wants to send any more is left at once, and goes on with the next one", async () => {
    const store = open();
    const rule = await server.inject({ operation: "PutObject", fault: { type: "stall-request", afterBytes: MIB } });
    const stop = new AbortController();
    const putting = store.put("slot-0", bodyOf(1), { signal: stop.signal });
    await expect.poll(() => rule.hits()).toBe(1);
    stop.abort();
    await expectRejection(putting, "ABORTED");
    await store.put("slot-0", bodyOf(2));
    expect((await readObject(store, "slot-0")).equals(bodyOf(2))).toBe(true);
  });
});
