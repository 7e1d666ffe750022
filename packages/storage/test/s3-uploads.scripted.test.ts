import { readObject, uploadStream, withRetry } from "@soar/storage";
import { probeMaxParts } from "@soar/storage/probes";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { keysOf, expectRejection } from "./expect-rejection.ts";
import { openS3ForTest, type S3ForTest, TEST_PART_SIZE } from "./s3-fixture.ts";
import { errorReply, openScripted } from "./scripted-server.ts";

const BODY = Buffer.alloc(TEST_PART_SIZE * 2 + 10, "uploads in parts ");
const OPTIONS = { expectedSize: BODY.byteLength, partSize: TEST_PART_SIZE, parallel: 2 };
const FUTURE = new Date(Date.now() + 3600_000);

let s3: S3ForTest;
beforeAll(async () => {
  s3 = await openS3ForTest("aws");
});
afterEach(async () => {
  s3.server.clearFaults();
  const leftOver = await s3.store.abortStaleUploads("", FUTURE);
  if (leftOver.length > 0) throw new Error(`uploads were left over: ${leftOver.join(", ")}`);
  await s3.store.remove(await keysOf(s3.store.list("")));
});
afterAll(() => s3.cleanUp());

async function* bodyStream(): AsyncGenerator<Uint8Array, void, void> {
  yield BODY;
}

describe("completing an upload in parts", () => {
  test("fails when the 200 holds an error document", async () => {
    s3.server.inject({ operation: "CompleteMultipartUpload", fault: { type: "error-in-200" } });
    await expectRejection(uploadStream(s3.store, "a", bodyStream(), OPTIONS), "STORE_BUSY");
    expect(await s3.store.stat("a")).toBeUndefined();
  });

  test.each([
    [
      "an error document with a line feed behind it",
      `<?xml version="1.0"?><Error><Code>InternalError</Code><Message>x</Message></Error>\n`,
    ],
    [
      "a result without an ETag",
      `<?xml version="1.0"?><CompleteMultipartUploadResult><Bucket>bucket</Bucket><Key>a</Key></CompleteMultipartUploadResult>`,
    ],
    ["nothing at all", ""],
  ])("fails when the 200 holds %s", async (_name, body) => {
    const part = { headers: { etag: '"part"' } };
    // An object of this size is there, from an earlier time: looking afterwards would not notice.
    const older = { headers: { "last-modified": "Sun, 05 Jan 2025 12:00:00 GMT", "content-length": "1" } };
    await using scripted = await openScripted([{ body: "<R><UploadId>1</UploadId></R>" }, part, { body }, older]);
    const upload = await scripted.store.beginMultipart("a", { partSize: 5 * 1024 ** 2 });
    await upload.putPart(1, Buffer.from("x"));
    expect((await expectRejection(upload.complete(), "STORE_BUSY")).retryable).toBe(true);
  });

  test("goes on after a lost answer, because the object has our digest", async () => {
    s3.server.inject({ operation: "CompleteMultipartUpload", fault: { type: "lost-reply" } });
    expect(await uploadStream(withRetry(s3.store, { baseDelayMs: 1 }), "a", bodyStream(), OPTIONS)).toMatchObject({
      size: BODY.byteLength,
    });
    expect(await readObject(s3.store, "a")).toEqual(BODY);
  });

  test("goes on after an error in the 200, by trying again", async () => {
    s3.server.inject({ operation: "CompleteMultipartUpload", fault: { type: "error-in-200" } });
    await uploadStream(withRetry(s3.store, { baseDelayMs: 1 }), "a", bodyStream(), OPTIONS);
    expect(await readObject(s3.store, "a")).toEqual(BODY);
  });

  test("fails when somebody else aborted it, although an object of the key is there", async () => {
    await s3.store.put("a", Buffer.alloc(TEST_PART_SIZE));
    const upload = await s3.store.beginMultipart("a", { partSize: TEST_PART_SIZE });
    await upload.putPart(1, Buffer.alloc(TEST_PART_SIZE));
    expect(await s3.store.abortStaleUploads("a", FUTURE)).toEqual(["a"]);
    await expectRejection(upload.complete(), "STORE_PROTOCOL");
    await expectRejection(upload.putPart(2, Buffer.alloc(1)), "STORE_PROTOCOL");
  });

  test("fails when the object has another size afterwards", async () => {
    const part = { headers: { etag: '"part"' } };
    const done = { body: "<R><ETag>&quot;whole&quot;</ETag></R>" };
    const short = { headers: { "last-modified": "Sun, 05 Jan 2025 12:00:00 GMT", "content-length": "2" } };
    await using scripted = await openScripted([{ body: "<R><UploadId>1</UploadId></R>" }, part, done, short]);
    const upload = await scripted.store.beginMultipart("a", { partSize: 5 * 1024 ** 2 });
    await upload.putPart(1, Buffer.from("xxx"));
    await expectRejection(upload.complete(), "STORE_PROTOCOL");
    expect(scripted.requests.at(-1)).toMatch(/^HEAD /);
  });
});

describe("a part", () => {
  test("whose connection breaks is sent again", async () => {
    s3.server.inject({ operation: "UploadPart", partNumber: 2, fault: { type: "reset-request", afterBytes: 10 } });
    s3.server.inject({ operation: "UploadPart", partNumber: 1, fault: { type: "lost-reply" } });
    await uploadStream(withRetry(s3.store, { baseDelayMs: 1 }), "a", bodyStream(), OPTIONS);
    expect(await readObject(s3.store, "a")).toEqual(BODY);
  });

  test("that fails for good gives the others back", async () => {
    s3.server.inject({
      operation: "UploadPart",
      partNumber: 2,
      times: "always",
      fault: { type: "error", status: 403, code: "AccessDenied" },
    });
    await expectRejection(uploadStream(s3.store, "a", bodyStream(), OPTIONS), "STORE_DENIED");
    expect(await s3.store.stat("a")).toBeUndefined();
  });

  test("that was stored with other bytes is noticed by its mark", async () => {
    await using scripted = await openScripted(
      [{ body: "<R><UploadId>1</UploadId></R>" }, { headers: { etag: '"00000000000000000000000000000000"' } }],
      { provider: "wasabi" },
    );
    const upload = await scripted.store.beginMultipart("a", { partSize: 5 * 1024 ** 2 });
    expect((await expectRejection(upload.putPart(1, Buffer.from("x")), "STORE_PROTOCOL")).retryable).toBe(true);
  });

  test("beyond the provider's limit is refused before it travels", async () => {
    const scaleway = await openS3ForTest("scaleway");
    const upload = await scaleway.store.beginMultipart("a", { partSize: TEST_PART_SIZE });
    await expectRejection(upload.putPart(1001, Buffer.from("x")), "STORE_UNSUPPORTED");
    await upload.abort();
    await scaleway.cleanUp();
  });
});

describe("giving parts back", () => {
  test("that fails too is part of the message, and the first failure stays the code", async () => {
    s3.server.inject({
      operation: "UploadPart",
      times: "always",
      fault: { type: "error", status: 403, code: "AccessDenied" },
    });
    const refusal = s3.server.inject({ operation: "AbortMultipartUpload", fault: { type: "error", status: 500 } });
    const error = await expectRejection(uploadStream(s3.store, "a", bodyStream(), OPTIONS), "STORE_DENIED");
    expect(error.message).toContain(
      "its parts are left over, because: unable to abort the upload of 's3://soar-test/a'",
    );
    refusal.remove();
    expect(await s3.store.abortStaleUploads("", FUTURE)).toEqual(["a"]);
  });

  test("from a server that never answers holds nobody up, and what is left there is said with what removes it", async () => {
    const [silent, probed] = [await openS3ForTest("minio"), await openS3ForTest("minio")];
    const [refused, stalled] = [
      { operation: "UploadPart", times: "always", fault: { type: "error", status: 403, code: "AccessDenied" } },
      { operation: "AbortMultipartUpload", times: "always", fault: { type: "stall" } },
    ] as const;
    silent.server.inject(refused);
    for (const { server } of [silent, probed]) server.inject(stalled);
    // As programs open it: each call is tried for five minutes.
    const uploading = uploadStream(withRetry(silent.store), "a", bodyStream(), OPTIONS);
    const [error, maxParts] = await Promise.all([
      expectRejection(uploading, "STORE_DENIED"),
      probeMaxParts(withRetry(probed.store), "a"),
    ]);
    expect(error.message).toContain("its parts are left over, because: they were not taken back within 10 s");
    expect(error.hint).toContain("AbortIncompleteMultipartUpload");
    expect(maxParts).toBe(10_000);
    for (const { server, cleanUp } of [silent, probed]) {
      server.clearFaults();
      await cleanUp();
    }
  });

  test("that have gone already succeeds", async () => {
    await using scripted = await openScripted([
      { body: "<R><UploadId>1</UploadId></R>" },
      errorReply(404, "NoSuchUpload"),
    ]);
    const upload = await scripted.store.beginMultipart("a", { partSize: 5 * 1024 ** 2 });
    await expect(upload.abort()).resolves.toBeUndefined();
  });
});

describe("a single put", () => {
  test("that was stored with other bytes is noticed by its mark, where marks are MD5s", async () => {
    const opaque = await openS3ForTest("aws", { server: { etags: "opaque" } });
    await expectRejection(opaque.store.put("a", BODY), "STORE_PROTOCOL");
    await opaque.cleanUp();
  });

  test("whose mark says nothing is looked at afterwards, and noticed by its size", async () => {
    const opaque = await openS3ForTest("minio", { server: { etags: "opaque" } });
    opaque.server.inject({ operation: "PutObject", fault: { type: "short-write", keepBytes: 5 } });
    await expectRejection(opaque.store.put("a", BODY), "STORE_PROTOCOL");
    opaque.server.requests.splice(0);
    await opaque.store.put("b", BODY);
    expect(opaque.server.requests.map(({ operation }) => operation)).toEqual(["PutObject", "HeadObject"]);
    await opaque.cleanUp();
  });
});
