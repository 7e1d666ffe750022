import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Fault } from "./fault.ts";
import { openServerForTest, type ServerForTest } from "./s3-server.fixture.ts";
import type { RawS3Response } from "./s3-test-client.ts";

const BODY = "x".repeat(300_000);

function get({ client }: ServerForTest, key = "k", signal?: AbortSignal): Promise<RawS3Response> {
  return client.send({ method: "GET", key, ...(signal !== undefined && { signal }) });
}

function put({ client }: ServerForTest, body = BODY, key = "k"): Promise<RawS3Response> {
  return client.send({ method: "PUT", key, body });
}

async function openWithObject(): Promise<ServerForTest> {
  const open = await openServerForTest();
  await put(open);
  return open;
}

describe("fault rules", () => {
  test("meet requests by operation, method, key and part, so many times, after so many", async () => {
    await using open = await openWithObject();
    const { server } = open;
    const rule = server.inject({
      operation: ["GetObject", "HeadObject"],
      method: "GET",
      key: /^k/,
      skip: 1,
      times: 2,
      fault: { type: "busy" },
    });
    const statuses = [];
    for (const key of ["k", "other", "k", "k2", "k"]) statuses.push((await get(open, key)).status);
    expect(statuses).toEqual([200, 404, 503, 503, 200]);
    expect(rule.hits).toBe(2);
    await rule.firstHit;
    const always = server.inject({ key: "k$", times: "always", fault: { type: "error" } });
    expect([(await get(open)).status, (await put(open)).status, (await get(open, "l")).status]).toEqual([
      500, 500, 404,
    ]);
    always.remove();
    expect((await get(open)).status).toBe(200);
  });

  test("meet requests by their headers, of which one that is missing is empty", async () => {
    await using open = await openWithObject();
    open.server.inject({ headers: { authorization: /Credential=NOBODY/ }, fault: { type: "busy" } });
    expect((await get(open)).status).toBe(200);
    open.server.inject({ headers: { authorization: "^AWS4-", "x-amz-security-token": "^$" }, fault: { type: "busy" } });
    expect((await get(open)).status).toBe(503);
  });

  test("are looked at in the order in which they were injected", async () => {
    await using open = await openWithObject();
    open.server.inject({ fault: { type: "error", status: 500, code: "InternalError" } });
    open.server.inject({
      fault: { type: "error", status: 429, code: "TooManyRequests", message: "slow", headers: { "retry-after": "3" } },
    });
    expect((await get(open)).errorCode).toBe("InternalError");
    expect(await get(open)).toMatchObject({
      status: 429,
      errorCode: "TooManyRequests",
      errorMessage: "slow",
      headers: { "retry-after": "3" },
    });
  });

  test("leave their mark in the log", async () => {
    await using open = await openWithObject();
    open.server.inject({ fault: { type: "busy" } });
    await get(open);
    expect(open.server.requests.at(-1)).toMatchObject({
      operation: "GetObject",
      key: "k",
      status: 503,
      errorCode: "SlowDown",
      fault: "busy",
      outcome: "answered",
    });
  });

  test("speak as the provider does", async () => {
    await using open = await openServerForTest({ profile: "b2" });
    open.server.inject({ fault: { type: "busy" } });
    expect(await get(open)).toMatchObject({ status: 503, errorMessage: "no tomes available" });
  });
});

describe("faults on the way in", () => {
  test("stall: no answer until released, and then the true one", async () => {
    await using open = await openWithObject();
    const stall = open.server.inject({ times: "always", fault: { type: "stall" } });
    const waiting = get(open);
    await stall.firstHit;
    expect(open.server.requests.at(-1)).toMatchObject({ outcome: "pending", status: undefined });
    stall.release();
    expect((await waiting).status).toBe(200);
  });

  test("stall: a client may give up", async () => {
    await using open = await openWithObject();
    const stall = open.server.inject({ fault: { type: "stall" } });
    const controller = new AbortController();
    const waiting = get(open, "k", controller.signal);
    await stall.firstHit;
    controller.abort();
    await expect(waiting).rejects.toThrowError(/abort/i);
    expect((await get(open)).status).toBe(200);
  });

  test("early-reply: the answer stands there before the body, which is stored all the same", async () => {
    await using open = await openWithObject();
    open.server.inject({ operation: "PutObject", fault: { type: "early-reply", afterBytes: 1 } });
    const md5 = createHash("md5").update(BODY).digest();
    const headers = { "content-md5": md5.toString("base64") };
    const answer = await open.client.send({ method: "PUT", key: "k", body: BODY, headers });
    expect(answer).toMatchObject({ status: 200, headers: { etag: `"${md5.toString("hex")}"` } });
    // At once: the body may still be on its way.
    expect((await get(open)).text).toBe(BODY);
    expect(open.server.requests.at(-2)).toMatchObject({
      fault: "early-reply",
      requestBytes: BODY.length,
      outcome: "answered",
    });
  });

  test.each([0, 1, 100_000])("reset-request: cut after %i bytes, and nothing stored", async (afterBytes) => {
    await using open = await openServerForTest();
    open.server.inject({ operation: "PutObject", fault: { type: "reset-request", afterBytes } });
    await expect(put(open)).rejects.toThrowError(/ECONNRESET|EPIPE|hang up/);
    expect(open.server.objects().size).toBe(0);
    expect(open.server.requests[0]?.outcome).toBe("cut");
  });

  test("slow-request and delay take their time", async () => {
    await using open = await openServerForTest();
    const time = async (fault: Fault): Promise<number> => {
      const start = performance.now();
      open.server.inject({ fault });
      expect((await put(open, "x".repeat(1000))).status).toBe(200);
      return performance.now() - start;
    };
    expect(await time({ type: "slow-request", bytesPerSecond: 10_000 })).toBeGreaterThan(90);
    expect(await time({ type: "delay", ms: 50 })).toBeGreaterThan(45);
  });

  test("clock-skew: the server's clock is off for one request", async () => {
    await using open = await openWithObject();
    open.server.inject({ fault: { type: "clock-skew", ms: 16 * 60_000 } });
    expect((await get(open)).errorCode).toBe("RequestTimeTooSkewed");
    expect((await get(open)).status).toBe(200);
  });
});

describe("faults on the way out", () => {
  test("lost-reply: the work is done, and nobody is told", async () => {
    await using open = await openServerForTest();
    open.server.inject({ operation: "PutObject", fault: { type: "lost-reply" } });
    await expect(put(open)).rejects.toThrowError(/ECONNRESET|hang up/);
    expect(open.server.objects().get("k")?.size).toBe(BODY.length);
  });

  test.each([0, 5, 200_000])("reset-response: cut after %i bytes", async (afterBytes) => {
    await using open = await openWithObject();
    open.server.inject({ fault: { type: "reset-response", afterBytes } });
    await expect(get(open)).rejects.toThrowError(/ECONNRESET|aborted|hang up/);
    expect(open.server.requests.at(-1)).toMatchObject({ responseBytes: afterBytes, outcome: "cut" });
  });

  test("truncate-response: less than was promised", async () => {
    await using open = await openWithObject();
    open.server.inject({ fault: { type: "truncate-response", afterBytes: 1000 } });
    await expect(get(open)).rejects.toThrowError(/aborted|ECONNRESET/);
  });

  test("truncate-response with a lie: less was promised, too", async () => {
    await using open = await openWithObject();
    open.server.inject({ fault: { type: "truncate-response", afterBytes: 1000, lie: true } });
    expect(await get(open)).toMatchObject({ status: 200, headers: { "content-length": "1000" } });
  });

  test("stall-response: the rest comes when released", async () => {
    await using open = await openWithObject();
    const stall = open.server.inject({ fault: { type: "stall-response", afterBytes: 1000 } });
    const reply = get(open);
    await stall.firstHit;
    stall.release();
    expect((await reply).body).toHaveLength(BODY.length);
  });

  test("corrupt-response: one bit", async () => {
    await using open = await openWithObject();
    open.server.inject({ fault: { type: "corrupt-response", atByte: 123_456 } });
    const { body } = await get(open);
    expect(body.findIndex((byte) => byte !== 0x78)).toBe(123_456);
    expect(body.filter((byte) => byte !== 0x78)).toHaveLength(1);
  });

  test("slow-response: so many bytes per second", async () => {
    await using open = await openWithObject();
    open.server.inject({ fault: { type: "slow-response", bytesPerSecond: 2_000_000 } });
    const start = performance.now();
    await get(open);
    expect(performance.now() - start).toBeGreaterThan(90);
  });

  test("reset-response over TLS", async () => {
    await using open = await openServerForTest({ tls: true });
    await put(open);
    open.server.inject({ fault: { type: "reset-response", afterBytes: 100_000 } });
    await expect(get(open)).rejects.toThrowError(/ECONNRESET|aborted|hang up/);
  });
});

describe("faults of meaning", () => {
  test("error-in-200: completion says 200 and means no", async () => {
    await using open = await openServerForTest();
    const { text } = await open.client.send({ method: "POST", key: "m", query: { uploads: "" } });
    const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(text)?.[1] ?? "";
    const part = await open.client.send({ method: "PUT", key: "m", query: { uploadId, partNumber: "1" }, body: "x" });
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.headers["etag"] ?? ""}</ETag></Part></CompleteMultipartUpload>`;
    const complete = () => open.client.send({ method: "POST", key: "m", query: { uploadId }, body });
    open.server.inject({ operation: "CompleteMultipartUpload", fault: { type: "error-in-200" } });
    expect(await complete()).toMatchObject({ status: 200, errorCode: "InternalError" });
    expect(open.server.objects().size).toBe(0);
    expect(await complete()).toMatchObject({ status: 200, errorCode: undefined });
    expect(open.server.objects().size).toBe(1);
  });

  test("short-write: only the beginning is kept", async () => {
    await using open = await openServerForTest();
    open.server.inject({ fault: { type: "short-write", keepBytes: 7 } });
    expect((await put(open)).status).toBe(200);
    expect(open.server.objects().get("k")?.size).toBe(7);
  });

  test.each([
    ["no-continuation-token", /<IsTruncated>true<(?!.*NextContinuationToken)/],
    ["early-end", /<IsTruncated>false<(?!.*NextContinuationToken)/],
  ] as const)("%s: a listing that misleads", async (type, expected) => {
    await using open = await openServerForTest({ pageSize: 2 });
    for (const key of ["a", "b", "c"]) await put(open, "x", key);
    open.server.inject({ operation: "ListObjectsV2", fault: { type } });
    expect((await open.client.send({ method: "GET", query: { "list-type": "2" } })).text).toMatch(expected);
  });

  test("repeat-page: a listing that goes in circles", async () => {
    await using open = await openServerForTest({ pageSize: 2 });
    for (const key of ["a", "b", "c"]) await put(open, "x", key);
    open.server.inject({ operation: "ListObjectsV2", fault: { type: "repeat-page" } });
    const list = (query: Record<string, string> = {}) =>
      open.client.send({ method: "GET", query: { "list-type": "2", ...query } });
    const token = /<NextContinuationToken>(.*)<\/NextContinuationToken>/.exec((await list()).text)?.[1] ?? "";
    expect((await list({ "continuation-token": token })).text).toContain("<Key>a</Key>");
  });
});

test("closing lets stalled requests go and resets what is open", async () => {
  const open = await openWithObject();
  const stall = open.server.inject({ fault: { type: "stall-response", afterBytes: 10 } });
  const reply = get(open).then(
    () => "whole",
    () => "reset",
  );
  await stall.firstHit;
  await open[Symbol.asyncDispose]();
  expect(["whole", "reset"]).toContain(await reply);
});
