import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { openServerForTest, type ServerForTest } from "./s3-server.fixture.ts";
import type { RawS3Response } from "./s3-test-client.ts";
import { encodeAwsChunked, signRequest } from "./sign-request.ts";
import type { S3Profile } from "./profiles.ts";

const BODY = "The quick brown fox";
const MD5 = createHash("md5").update(BODY).digest("base64");
const CRC32 = Buffer.from((crc32(BODY) >>> 0).toString(16).padStart(8, "0"), "hex").toString("base64");

function put(
  { client }: ServerForTest,
  headers: Record<string, string> = {},
  payloadHash?: string,
): Promise<RawS3Response> {
  return client.send({
    method: "PUT",
    key: "k",
    body: BODY,
    headers,
    ...(payloadHash !== undefined && { payloadHash }),
  });
}

/** A PUT in aws-chunked form; `change` spoils the framed body. */
function putChunked(
  { server, client }: ServerForTest,
  payloadHash: string,
  options: { trailers?: Record<string, string>; announce?: string; change?: (text: string) => string } = {},
) {
  const headers = {
    "content-encoding": "aws-chunked",
    "x-amz-decoded-content-length": String(BODY.length),
    ...(options.announce !== undefined && { "x-amz-trailer": options.announce }),
  };
  const request = {
    method: "PUT",
    host: `127.0.0.1:${server.port}`,
    path: `/${server.bucket}/k`,
    query: {},
    headers,
    payloadHash,
    time: Date.now(),
  };
  const signed = signRequest(server, request);
  const framed = encodeAwsChunked(Buffer.from(BODY), {
    payloadHash,
    chunkSize: 8,
    chunks: signed.chunks,
    trailers: options.trailers ?? {},
  }).toString("latin1");
  const body = Buffer.from(options.change?.(framed) ?? framed, "latin1");
  return client.sendRaw("PUT", signed.url, { ...signed.headers, "content-length": String(body.length) }, body);
}

describe("bodies", () => {
  test("are compared with x-amz-content-sha256", async () => {
    await using open = await openServerForTest();
    expect(await put(open, {}, "0".repeat(64))).toMatchObject({ status: 400, errorCode: "XAmzContentSHA256Mismatch" });
    expect(await put(open, {}, "anything")).toMatchObject({ status: 400, errorCode: "InvalidArgument" });
    expect(open.server.objects().size).toBe(0);
    expect((await put(open, {}, "UNSIGNED-PAYLOAD")).status).toBe(200);
  });

  test("are compared with Content-MD5", async () => {
    await using open = await openServerForTest({ etags: "opaque" });
    expect((await put(open, { "content-md5": MD5 })).status).toBe(200);
    expect((await put(open, { "content-md5": createHash("md5").update("x").digest("base64") })).errorCode).toBe(
      "BadDigest",
    );
    expect((await put(open, { "content-md5": "short" })).errorCode).toBe("InvalidDigest");
  });

  test("are compared with checksum headers", async () => {
    await using open = await openServerForTest();
    const good = await put(open, { "x-amz-checksum-crc32": CRC32, "x-amz-sdk-checksum-algorithm": "CRC32" });
    expect(good).toMatchObject({ status: 200, headers: { "x-amz-checksum-crc32": CRC32 } });
    const bad = await put(open, { "x-amz-checksum-crc32": "AAAAAA==" });
    expect(bad).toMatchObject({
      errorCode: "BadDigest",
      errorMessage: "The CRC32 you specified did not match the calculated checksum.",
    });
    expect((await put(open, { "x-amz-checksum-sha256": CRC32 })).errorCode).toBe("InvalidRequest");
    expect((await put(open, { "x-amz-checksum-crc32": CRC32, "x-amz-checksum-crc32c": CRC32 })).errorCode).toBe(
      "InvalidRequest",
    );
    expect((await put(open, { "x-amz-sdk-checksum-algorithm": "CRC32" })).errorCode).toBe("InvalidRequest");
    const read = await open.client.send({ method: "GET", key: "k", headers: { "x-amz-checksum-mode": "ENABLED" } });
    expect(read.headers["x-amz-checksum-crc32"]).toBe(CRC32);
  });

  test.each([
    ["b2", 400, "InvalidArgument", "Unsupported header 'x-amz-checksum-crc32' received for this API call."],
    ["md5-only", 501, "NotImplemented", /x-amz-checksum-crc32/],
  ] as const)("may not bring checksum headers on %s", async (profile, status, errorCode, errorMessage) => {
    await using open = await openServerForTest({ profile });
    const message = typeof errorMessage === "string" ? errorMessage : expect.stringMatching(errorMessage);
    expect(await put(open, { "x-amz-checksum-crc32": CRC32 })).toMatchObject({
      status,
      errorCode,
      errorMessage: message,
    });
  });

  test("need a Content-Length", async () => {
    await using open = await openServerForTest();
    const { server, client } = open;
    const request = {
      method: "PUT",
      host: `127.0.0.1:${server.port}`,
      path: `/${server.bucket}/k`,
      query: {},
      headers: {},
      payloadHash: "UNSIGNED-PAYLOAD",
      time: Date.now(),
    };
    const { url, headers } = signRequest(server, request);
    expect(
      await client.sendRaw("PUT", url, { ...headers, "transfer-encoding": "chunked" }, Buffer.from(BODY)),
    ).toMatchObject({
      status: 411,
      errorCode: "MissingContentLength",
    });
  });

  test("may not exceed what one request can carry, nor the quota", async () => {
    await using open = await openServerForTest({ rules: { maxPutSize: 10 } });
    expect((await put(open)).errorCode).toBe("EntityTooLarge");
    await using b2 = await openServerForTest({ profile: "b2", quotaBytes: 30 });
    expect((await put(b2)).status).toBe(200);
    expect(await put(b2)).toMatchObject({
      status: 403,
      errorCode: "AccessDenied",
      errorMessage: expect.stringContaining("cap exceeded"),
    });
    b2.server.change({ quotaBytes: 100 });
    expect((await put(b2)).status).toBe(200);
  });

  test("wait for 100 Continue until the request itself is accepted", async () => {
    await using open = await openServerForTest();
    expect((await put(open, { expect: "100-continue" })).status).toBe(200);
    const stranger = open.clientFor({ accessKeyId: "nobody", secretAccessKey: "x" });
    expect(
      (await stranger.send({ method: "PUT", key: "k", body: BODY, headers: { expect: "100-continue" } })).status,
    ).toBe(403);
    expect(open.server.requests.map(({ requestBytes }) => requestBytes)).toEqual([BODY.length, 0]);
  });
});

const SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_TRAILER = `${SIGNED}-TRAILER`;
const UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const TRAILER = { trailers: { "x-amz-checksum-crc32": CRC32 }, announce: "x-amz-checksum-crc32" };

describe("bodies in aws-chunked form", () => {
  test.each([
    [SIGNED, {}],
    [SIGNED_TRAILER, TRAILER],
    [UNSIGNED_TRAILER, TRAILER],
  ])("are decoded: %s", async (payloadHash, options) => {
    await using open = await openServerForTest();
    expect(await putChunked(open, payloadHash, options)).toMatchObject({ status: 200 });
    const stored = open.server.objects().get("k");
    expect((await stored?.read())?.toString()).toBe(BODY);
    expect(stored?.headers).not.toHaveProperty("content-encoding", "aws-chunked");
  });

  test("are refused when a chunk or its signature was changed", async () => {
    await using open = await openServerForTest();
    const change = (text: string): string => text.replace("brown", "BROWN");
    expect((await putChunked(open, SIGNED, { change })).errorCode).toBe("SignatureDoesNotMatch");
    expect((await putChunked(open, SIGNED_TRAILER, { ...TRAILER, change })).errorCode).toBe("SignatureDoesNotMatch");
    expect((await putChunked(open, UNSIGNED_TRAILER, { ...TRAILER, change })).errorCode).toBe("BadDigest");
    expect(open.server.objects().size).toBe(0);
  });

  test("are refused in the middle, over a connection that goes on", async () => {
    await using open = await openServerForTest();
    const { server, client } = open;
    const body = Buffer.alloc(3_000_000, "x");
    const headers = { "content-encoding": "aws-chunked", "x-amz-decoded-content-length": String(body.length) };
    const request = {
      method: "PUT",
      host: `127.0.0.1:${server.port}`,
      path: `/${server.bucket}/k`,
      query: {},
      headers,
      payloadHash: SIGNED,
      time: Date.now(),
    };
    const { url, headers: signed, chunks } = signRequest(server, request);
    const framed = encodeAwsChunked(body, { payloadHash: SIGNED, chunkSize: 8192, chunks });
    framed[100] = 0;
    expect(
      (await client.sendRaw("PUT", url, { ...signed, "content-length": String(framed.length) }, framed)).errorCode,
    ).toBe("SignatureDoesNotMatch");
    expect((await put(open)).status).toBe(200);
  });

  test("are refused when the trailer is wrong, missing or unsigned", async () => {
    await using open = await openServerForTest();
    const { announce } = TRAILER;
    expect(
      (await putChunked(open, UNSIGNED_TRAILER, { announce, trailers: { "x-amz-checksum-crc32": "AAAAAA==" } }))
        .errorCode,
    ).toBe("BadDigest");
    expect((await putChunked(open, UNSIGNED_TRAILER, { announce })).errorCode).toBe("MalformedTrailerError");
    const change = (text: string): string =>
      text.replace(/x-amz-trailer-signature:[0-9a-f]{8}/, "x-amz-trailer-signature:00000000");
    expect((await putChunked(open, SIGNED_TRAILER, { ...TRAILER, change })).errorCode).toBe("SignatureDoesNotMatch");
  });

  test("are refused when they are not in that form or end early", async () => {
    await using open = await openServerForTest();
    expect((await putChunked(open, UNSIGNED_TRAILER, { ...TRAILER, change: () => BODY })).errorCode).toBe(
      "IncompleteBody",
    );
    expect(
      (await putChunked(open, UNSIGNED_TRAILER, { ...TRAILER, change: (text) => text.slice(0, 14) })).errorCode,
    ).toBe("IncompleteBody");
    expect(
      (
        await putChunked(open, UNSIGNED_TRAILER, {
          ...TRAILER,
          change: (text) => text.replace("8\r\nThe quic\r\n", ""),
        })
      ).errorCode,
    ).toBe("IncompleteBody");
  });

  test.each([
    ["b2", 400, "MalformedTrailerError"],
    ["r2", 501, "NotImplemented"],
    ["scaleway", 411, "MissingContentLength"],
    ["spaces", 411, "MissingContentLength"],
    ["wasabi", 400, "IncompleteBody"],
  ] as const satisfies readonly (readonly [S3Profile, number, string])[])(
    "are refused by %s",
    async (profile, status, errorCode) => {
      await using open = await openServerForTest({ profile });
      expect(await putChunked(open, UNSIGNED_TRAILER, TRAILER)).toMatchObject({ status, errorCode });
    },
  );
});
