import { readObject, type StoreEvent, withRetry } from "@soar/storage";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { keysOf, expectRejection } from "./expect-rejection.ts";
import { openDriverOn, openS3ForTest, type S3ForTest } from "./s3-fixture.ts";
import { openScripted } from "./scripted-server.ts";

const BODY = Buffer.from("a body of some bytes ".repeat(5000));
const SHORT_TIMES = { connectTimeoutMs: 500, idleTimeoutMs: 120, requestTimeoutMs: 400 };

let s3: S3ForTest;
beforeAll(async () => {
  s3 = await openS3ForTest("aws");
});
beforeEach(async () => {
  s3.server.requests.splice(0);
  await s3.store.put("there", BODY);
});
afterEach(() => s3.server.clearFaults());
afterAll(() => s3.cleanUp());

describe("answers of a server in trouble", () => {
  test.each([
    [503, "SlowDown", "STORE_BUSY"],
    [503, "ServiceUnavailable", "STORE_BUSY"],
    [500, "InternalError", "STORE_BUSY"],
    [502, "BadGateway", "STORE_BUSY"],
    [429, "TooManyRequests", "STORE_BUSY"],
    [400, "RequestTimeout", "STORE_UNREACHABLE"],
    [400, "BadDigest", "STORE_PROTOCOL"],
  ] as const)("%i %s is worth another attempt, which succeeds", async (status, code, expected) => {
    s3.server.inject({ operation: "PutObject", fault: { type: "error", status, code } });
    const error = await expectRejection(s3.store.put("a", BODY), expected);
    expect(error.retryable).toBe(true);
    const events: StoreEvent[] = [];
    s3.server.inject({ operation: "PutObject", times: 2, fault: { type: "error", status, code } });
    await withRetry(s3.store, { baseDelayMs: 1, onEvent: (event) => events.push(event) }).put("a", BODY);
    expect(events.map(({ type }) => type)).toEqual(["retry", "retry"]);
    expect(await readObject(s3.store, "a")).toEqual(BODY);
  });

  test("that is busy is named with the provider's own advice", async () => {
    const b2 = await openS3ForTest("b2");
    b2.server.inject({ operation: "PutObject", fault: { type: "busy" } });
    const error = await expectRejection(b2.store.put("a", BODY), "STORE_BUSY");
    expect(error.message).toContain("Backblaze B2 answered 503 ServiceUnavailable");
    expect(error.hint).toContain("30 minutes");
    await b2.cleanUp();
  });

  test("the SDK itself never repeats a request", async () => {
    s3.server.requests.splice(0);
    s3.server.inject({ operation: "GetObject", times: "always", fault: { type: "busy" } });
    await expectRejection(s3.store.get("there"), "STORE_BUSY");
    expect(s3.server.requests).toHaveLength(1);
  });
});

describe("a connection that breaks", () => {
  test("within a body that is wanted whole is followed by all the rest as one chunk", async () => {
    const body = Buffer.alloc(2 * 1024 ** 2, "a large body ");
    await s3.store.put("large", body);
    s3.server.inject({ operation: "GetObject", fault: { type: "truncate-response", afterBytes: 100_000 } });
    const chunks: Uint8Array[] = [];
    for await (const chunk of await withRetry(s3.store, { baseDelayMs: 1 }).get("large", { whole: true }))
      chunks.push(chunk);
    expect(chunks.map(({ byteLength }) => byteLength)).toEqual([100_000, body.byteLength - 100_000]);
    expect(Buffer.concat(chunks).equals(body)).toBe(true);
  });

  test("within the body of a put stores nothing, and the repetition succeeds", async () => {
    s3.server.inject({ operation: "PutObject", fault: { type: "reset-request", afterBytes: 1000 } });
    expect((await expectRejection(s3.store.put("cut", BODY), "STORE_UNREACHABLE")).retryable).toBe(true);
    expect(s3.server.objects().has("cut")).toBe(false);
    s3.server.inject({ operation: "PutObject", fault: { type: "reset-request", afterBytes: 1000 } });
    await withRetry(s3.store, { baseDelayMs: 1 }).put("cut", BODY);
    expect(await readObject(s3.store, "cut")).toEqual(BODY);
  });

  test("within a body that is read is OBJECT_SHORT", async () => {
    s3.server.inject({ operation: "GetObject", fault: { type: "truncate-response", afterBytes: 50_000 } });
    const error = await expectRejection(readObject(s3.store, "there"), "OBJECT_SHORT");
    expect(error.message).toMatch(/the body ended after \d+ of 105000 bytes/);
    expect(error.retryable).toBe(true);
  });

  test("by a reset within a body is worth another attempt, and the body is read to its end", async () => {
    // A reset may overtake bytes that were sent before it, even the head of the answer.
    s3.server.inject({ operation: "GetObject", times: 2, fault: { type: "reset-response", afterBytes: 50_000 } });
    expect(await readObject(withRetry(s3.store, { baseDelayMs: 1 }), "there")).toEqual(BODY);
  });

  test("many times within a body is read on where it stopped, byte for byte", async () => {
    s3.server.inject({ operation: "GetObject", times: 4, fault: { type: "truncate-response", afterBytes: 20_000 } });
    s3.server.requests.splice(0);
    expect(await readObject(withRetry(s3.store, { baseDelayMs: 1 }), "there")).toEqual(BODY);
    expect(s3.server.requests.map(({ headers }) => headers["range"])).toEqual([
      undefined,
      ...[20_000, 40_000, 60_000, 80_000].map((start) => `bytes=${start}-104999`),
    ]);
  });

  test("after the object was replaced is not read on", async () => {
    s3.server.inject({ operation: "GetObject", fault: { type: "truncate-response", afterBytes: 20_000 } });
    const body = await withRetry(s3.store, { baseDelayMs: 1 }).get("there");
    await s3.store.put("there", Buffer.from(BODY).fill(1));
    const read = async (): Promise<void> => {
      for await (const chunk of body) expect(chunk.every((byte) => byte !== 1)).toBe(true);
    };
    await expectRejection(read(), "STORE_PROTOCOL");
  });

  test("within a listing is listed on where it stopped", async () => {
    const keys = Array.from({ length: 30 }, (_, index) => `list/${String(index).padStart(2, "0")}`);
    await Promise.all(keys.map((key) => s3.store.put(key, Buffer.from("x"))));
    s3.server.inject({ operation: "ListObjectsV2", skip: 1, fault: { type: "busy" } });
    s3.server.inject({ operation: "ListObjectsV2", skip: 2, fault: { type: "reset-response", afterBytes: 200 } });
    expect(await keysOf(withRetry(s3.store, { baseDelayMs: 1 }).list("list/"))).toEqual(keys);
    await s3.store.remove(keys);
  });
});

describe("a body that is not what was asked for", () => {
  test("because it announces fewer bytes than the object has is the object's size, so a range notices it", async () => {
    s3.server.inject({ operation: "GetObject", fault: { type: "truncate-response", afterBytes: 100, lie: true } });
    await expectRejection(readObject(s3.store, "there", { range: { offset: 0, length: 1000 } }), "STORE_PROTOCOL");
  });

  test("because the server takes no notice of the range is refused", async () => {
    await using scripted = await openScripted([
      { body: "the whole object", headers: { "last-modified": "Sun, 05 Jan 2025 12:00:00 GMT" } },
    ]);
    await expectRejection(scripted.store.get("a", { range: { offset: 4, length: 3 } }), "STORE_PROTOCOL");
  });

  test("because another range arrives is refused", async () => {
    const headers = { "last-modified": "Sun, 05 Jan 2025 12:00:00 GMT", "content-range": "bytes 5-7/16" };
    await using scripted = await openScripted([{ status: 206, body: "who", headers }]);
    await expectRejection(scripted.store.get("a", { range: { offset: 4, length: 3 } }), "STORE_PROTOCOL");
  });

  test("because it has no length is refused", async () => {
    await using scripted = await openScripted([
      { act: (_request, response) => response.writeHead(200, { "transfer-encoding": "chunked" }).end("unknown") },
    ]);
    await expectRejection(scripted.store.get("a"), "STORE_PROTOCOL");
  });
});

describe("a server that falls silent", () => {
  test.each([
    ["before it answers", { type: "stall" }, "PutObject"],
    ["while it takes a body", { type: "stall-request", afterBytes: 1 }, "PutObject"],
  ] as const)("%s is left after the idle limit", async (_name, fault, operation) => {
    const store = openDriverOn(s3.server, { ...SHORT_TIMES, requestTimeoutMs: 60_000 });
    const injected = s3.server.inject({ operation, fault });
    const error = await expectRejection(store.put("silent", Buffer.alloc(8 * 1024 ** 2)), "STORE_UNREACHABLE");
    expect(error.message).toContain("nothing was sent or received for 0.12 s");
    expect(error.retryable).toBe(true);
    injected.release();
    await store.close();
  });

  test("within a body is left after the idle limit, and the rest is read from a new connection", async () => {
    const store = openDriverOn(s3.server, { ...SHORT_TIMES, requestTimeoutMs: 60_000 });
    s3.server.inject({ operation: "GetObject", fault: { type: "stall-response", afterBytes: 30_000 } });
    await expectRejection(readObject(store, "there"), "STORE_UNREACHABLE");
    s3.server.inject({ operation: "GetObject", fault: { type: "stall-response", afterBytes: 30_000 } });
    expect(await readObject(withRetry(store, { baseDelayMs: 1 }), "there")).toEqual(BODY);
    await store.close();
  });

  test("but goes on dripping is left after the limit of the whole request", async () => {
    const store = openDriverOn(s3.server, { ...SHORT_TIMES, idleTimeoutMs: 60_000 });
    s3.server.inject({ operation: "GetObject", fault: { type: "slow-response", bytesPerSecond: 20_000 } });
    const error = await expectRejection(readObject(store, "there"), "STORE_UNREACHABLE");
    expect(error.message).toContain("the request took more than 0.4 s");
    await store.close();
  });

  test("is not confused with a reader that takes its time", async () => {
    const store = openDriverOn(s3.server, { idleTimeoutMs: 300, requestTimeoutMs: 300 });
    const large = Buffer.alloc(3 * 1024 ** 2, 5);
    await s3.store.put("large", large);
    const body = await store.get("large");
    let received = 0;
    for await (const chunk of body) {
      // Longer than both limits, once: the socket is full and waits for this reader.
      if (received === 0) await new Promise((resolve) => setTimeout(resolve, 800));
      received += chunk.byteLength;
    }
    expect(received).toBe(large.byteLength);
    await store.close();
  });

  test("is left at once when the caller gives up", async () => {
    const injected = s3.server.inject({ operation: "GetObject", fault: { type: "stall" } });
    const controller = new AbortController();
    const getting = s3.store.get("there", { signal: controller.signal });
    await injected.firstHit;
    controller.abort();
    await expectRejection(getting, "ABORTED");
  });

  test("that follows a refusal is left when the deadline passes, and the refusal is the failure", async () => {
    s3.server.inject({ operation: "GetObject", fault: { type: "busy" } });
    s3.server.inject({ operation: "GetObject", times: "always", fault: { type: "stall" } });
    const patient = withRetry(s3.store, { deadlineMs: 1500, baseDelayMs: 1 });
    const error = await expectRejection(patient.get("there"), "STORE_BUSY");
    expect(error.message).toMatch(/\(gave up after 2 attempts within 1.5 s\)$/);
  });

  test("is left when the deadline passes, and that is the failure", async () => {
    s3.server.inject({ operation: "GetObject", times: "always", fault: { type: "stall" } });
    const error = await expectRejection(withRetry(s3.store, { deadlineMs: 150 }).get("there"), "STORE_UNREACHABLE");
    expect(error.retryable).toBe(false);
    expect(error.message).toMatch(
      /from 127\.0\.0\.1:\d+: no answer before the deadline \(gave up after 1 attempt within 0.15 s\)$/,
    );
  });
});
