import { readObject, uploadStream, withRetry } from "@soar/storage";
import { probeMaxParts } from "@soar/storage/probes";
import { countByOperation, type S3Profile } from "@soar-tooling/s3-server";
import { describe, expect, test } from "vitest";
import { digestBody, multipartEtag } from "../src/drivers/s3/stored-digest.ts";
import { expectRejection } from "./expect-rejection.ts";
import { openS3ForTest, type S3TestOptions, TEST_PART_SIZE } from "./s3-fixture.ts";
import { errorReply, openScripted } from "./scripted-server.ts";

const FUTURE = new Date(Date.now() + 3600_000);
const PART = Buffer.from("a part");

describe("an upload that somebody else aborted", () => {
  test.each<S3Profile>(["aws", "ceph-16", "ceph-18", "ceph-20", "swift-2.35", "swift-2.38", "moto-5.1", "moto-5.2"])(
    "ends at once on a server like %s, and not at the deadline",
    async (profile) => {
      const { store, server, cleanUp } = await openS3ForTest(profile);
      const upload = await withRetry(store, { baseDelayMs: 1 }).beginMultipart("a", { partSize: TEST_PART_SIZE });
      await upload.putPart(1, PART);
      await store.abortStaleUploads("", FUTURE);
      const error = await expectRejection(upload.complete(), "STORE_PROTOCOL");
      expect(error.message).toContain("completed or aborted before");
      expect(countByOperation(server.requests)["CompleteMultipartUpload"]).toBe(1);
      await cleanUp();
    },
  );

  test.each([500, 502, 504])("is asked for after %i", async (status) => {
    await using scripted = await openScripted([
      { body: "<R><UploadId>1</UploadId></R>" },
      { headers: { etag: '"part"' } },
      errorReply(status, ""),
      errorReply(404, "NoSuchUpload"),
      { status: 404 },
      { status: 200 },
    ]);
    const upload = await scripted.store.beginMultipart("a", { partSize: 5 * 1024 ** 2 });
    await upload.putPart(1, PART);
    await expectRejection(upload.complete(), "STORE_PROTOCOL");
    expect(scripted.requests[3]).toMatch(/^GET \/bucket\/a\?.*uploadId=1/);
  });

  test.each([
    ["the upload is still there", { body: "<R><UploadId>1</UploadId></R>" }],
    ["it may not be asked for", errorReply(403, "AccessDenied")],
    ["there is no answer", errorReply(503, "SlowDown")],
  ])("is not meant by a failure of the server when %s: trying again may help", async (_name, answer) => {
    await using scripted = await openScripted([
      { body: "<R><UploadId>1</UploadId></R>" },
      { headers: { etag: '"part"' } },
      errorReply(500, "InternalError"),
      answer,
    ]);
    const upload = await scripted.store.beginMultipart("a", { partSize: 5 * 1024 ** 2 });
    await upload.putPart(1, PART);
    expect((await expectRejection(upload.complete(), "STORE_BUSY")).retryable).toBe(true);
  });

  test("whose completion was ours after all, and its answer lost, is a success", async () => {
    for (const profile of ["ceph-16", "ceph-18", "moto-5.2"] as const) {
      const { store, server, cleanUp } = await openS3ForTest(profile);
      server.inject({ operation: "CompleteMultipartUpload", fault: { type: "lost-reply" } });
      const upload = await withRetry(store, { baseDelayMs: 1 }).beginMultipart("a", { partSize: TEST_PART_SIZE });
      await upload.putPart(1, PART);
      expect(await upload.complete()).toMatchObject({ size: PART.byteLength });
      await cleanUp();
    }
  });
});

describe("a completion that may have been done", () => {
  /** Marks that say nothing, and a server that is trusted with the condition. */
  const OPAQUE = {
    server: { etags: "opaque" },
    config: { habits: { conditionalComplete: "honoured" } },
  } as const satisfies S3TestOptions;
  const whole = { body: "<R><UploadId>1</UploadId></R>" };
  const part = { headers: { etag: '"part"' } };
  const facts = (size: number, etag: string) => ({
    headers: { "last-modified": "Sun, 05 Jan 2025 12:00:00 GMT", "content-length": String(size), etag: `"${etag}"` },
  });

  test.each<[string, Uint8Array]>([
    ["the same size", Buffer.from("A PART")],
    ["another size", Buffer.from("another part")],
  ])("takes no object of %s for its own where marks are no digests", async (_name, theirs) => {
    const { store, server, cleanUp } = await openS3ForTest("minio", OPAQUE);
    const options = { partSize: TEST_PART_SIZE, ifAbsent: true };
    const upload = await store.beginMultipart("a", options);
    await upload.putPart(1, PART);
    server.inject({ operation: "CompleteMultipartUpload", fault: { type: "error", status: 500 } });
    await expectRejection(upload.complete(), "STORE_BUSY");
    await store.abortStaleUploads("", FUTURE);
    const other = await store.beginMultipart("a", options);
    await other.putPart(1, theirs);
    await other.complete();
    await expectRejection(upload.complete(), "OBJECT_EXISTS");
    expect(await readObject(store, "a")).toEqual(theirs);
    await cleanUp();
  });

  test("is compared by its caller where marks are no digests", async () => {
    const { store, server, cleanUp } = await openS3ForTest("minio", OPAQUE);
    server.inject({ operation: "CompleteMultipartUpload", fault: { type: "lost-reply" } });
    const upload = await withRetry(store, { baseDelayMs: 1 }).beginMultipart("a", {
      partSize: TEST_PART_SIZE,
      ifAbsent: true,
    });
    await upload.putPart(1, PART);
    await expectRejection(upload.complete(), "OBJECT_EXISTS");
    expect(await readObject(store, "a")).toEqual(PART);
    await cleanUp();
  });

  test.each(["NoSuchKey", "NotFound", "", "NoSuchUpload"])(
    "and is answered with 404 %s when it is repeated, is found by its digest",
    async (code) => {
      await using scripted = await openScripted([
        whole,
        part,
        { act: (_request, response) => void response.destroy() },
        errorReply(404, code),
        ...(code === "NoSuchUpload" ? [] : [errorReply(404, "NoSuchUpload")]),
        facts(PART.byteLength, multipartEtag([digestBody(PART).hex])),
      ]);
      const upload = await withRetry(scripted.store, { baseDelayMs: 1 }).beginMultipart("a", {
        partSize: 5 * 1024 ** 2,
      });
      await upload.putPart(1, PART);
      expect(await upload.complete()).toMatchObject({ size: PART.byteLength });
    },
  );

  test.each([
    ["behind the declaration", `<?xml version="1.0"?>`],
    ["in a name", `<?xml version="1.0"?><CompleteMultipartUploadResult><Bucket>bucket</Bucket><ETa`],
    ["in a value", `<?xml version="1.0"?><CompleteMultipartUploadResult><Key>a</Key><ETag>&quot;abc`],
    ["before its last line", `<?xml version="1.0"?><CompleteMultipartUploadResult><ETag>&quot;abc&quot;</ETag>`],
  ])("and whose answer is cut %s is looked for", async (_name, body) => {
    await using scripted = await openScripted([
      whole,
      part,
      { body },
      facts(PART.byteLength, multipartEtag([digestBody(PART).hex])),
    ]);
    const upload = await scripted.store.beginMultipart("a", { partSize: 5 * 1024 ** 2, ifAbsent: "by-server" });
    await upload.putPart(1, PART);
    expect(await upload.complete()).toMatchObject({ size: PART.byteLength });
  });

  test("and whose answer is cut is repeated when nothing is there", async () => {
    await using scripted = await openScripted([
      whole,
      part,
      { body: `<?xml version="1.0"?><CompleteMultipartUploadResult><ETa` },
      { status: 404 },
      { status: 200 },
      { body: "<R><ETag>&quot;whole&quot;</ETag></R>" },
      facts(PART.byteLength, "whole"),
    ]);
    const upload = await withRetry(scripted.store, { baseDelayMs: 1 }).beginMultipart("a", {
      partSize: 5 * 1024 ** 2,
    });
    await upload.putPart(1, PART);
    expect(await upload.complete()).toMatchObject({ size: PART.byteLength });
  });
});

test("a bucket that went away is no upload that has ended", async () => {
  await using scripted = await openScripted([
    { body: "<R><UploadId>1</UploadId></R>" },
    errorReply(404, "NoSuchBucket"),
    { headers: { etag: '"part"' } },
    errorReply(404, "NoSuchBucket"),
  ]);
  const upload = await scripted.store.beginMultipart("a", { partSize: 5 * 1024 ** 2 });
  await expectRejection(upload.putPart(1, PART), "BUCKET_MISSING");
  await upload.putPart(1, PART);
  await expectRejection(upload.complete(), "BUCKET_MISSING");
});

describe("an upload that was completed", () => {
  test.each<S3Profile>(["aws", "swift-2.35", "swift-2.38", "ceph-20"])(
    "is not aborted once more on a server like %s",
    async (profile) => {
      const { store, server, cleanUp } = await openS3ForTest(profile);
      const upload = await store.beginMultipart("a", { partSize: TEST_PART_SIZE });
      await upload.putPart(1, PART);
      await upload.complete();
      await upload.abort();
      await upload.abort();
      expect(countByOperation(server.requests)["AbortMultipartUpload"]).toBeUndefined();
      await cleanUp();
    },
  );

  test.each(["NoSuchUpload", "NoSuchKey", "NotFound", ""])("by somebody else may be aborted: 404 %s", async (code) => {
    await using scripted = await openScripted([{ body: "<R><UploadId>1</UploadId></R>" }, errorReply(404, code)]);
    const upload = await scripted.store.beginMultipart("a", { partSize: 5 * 1024 ** 2 });
    await expect(upload.abort()).resolves.toBeUndefined();
  });
});

describe("the number of parts", () => {
  test.each<[S3Profile, number | undefined, number]>([
    ["swift-2.38", undefined, 1_000],
    ["ceph-20", undefined, 10_000],
    ["minio", 137, 137],
    ["minio", 9_999, 1_000],
  ])("of a server like %s (%s) is found out by single small parts", async (profile, limit, expected) => {
    const { store, server, cleanUp } = await openS3ForTest(profile, {
      server: limit === undefined ? {} : { rules: { maxParts: limit } },
    });
    expect(store.features.isMaxPartsProved).toBe(false);
    expect(await probeMaxParts(store, "a")).toBe(expected);
    expect(store.features).toMatchObject({ maxParts: expected, isMaxPartsProved: true });
    expect(await store.listUploads("")).toEqual([]);
    expect(server.requests.length).toBeLessThan(20);
    await cleanUp();
  });

  test("is asked for before a backup of more than 8,000 MiB travels, and its parts are larger then", async () => {
    const { store, server, cleanUp } = await openS3ForTest("swift-2.38");
    const tiny = async function* () {
      yield PART;
    };
    await uploadStream(store, "small", tiny(), { expectedSize: 8_000 * 1024 ** 2 });
    expect(countByOperation(server.requests)).toEqual({ PutObject: 1 });
    await uploadStream(store, "large", tiny(), { expectedSize: 8_001 * 1024 ** 2 });
    expect(countByOperation(server.requests)).toMatchObject({ UploadPart: 2, AbortMultipartUpload: 1, PutObject: 2 });
    expect(store.features.maxParts).toBe(1_000);
    await uploadStream(store, "again", tiny(), { expectedSize: 8_001 * 1024 ** 2 });
    expect(countByOperation(server.requests)["UploadPart"]).toBe(2);
    await cleanUp();
  });

  test("is asked for also where a repository remembers a larger one, which the server has lowered since", async () => {
    const { store, server, cleanUp } = await openS3ForTest("swift-2.38");
    store.features.recall({ maxParts: 10_000 });
    expect(store.features).toMatchObject({ maxParts: 10_000, isMaxPartsProved: false });
    const tiny = async function* () {
      yield PART;
    };
    await uploadStream(store, "large", tiny(), { expectedSize: 8_001 * 1024 ** 2 });
    expect(countByOperation(server.requests)).toMatchObject({ CreateMultipartUpload: 1, PutObject: 1 });
    expect(store.features).toMatchObject({ maxParts: 1_000, isMaxPartsProved: true });
    expect(store.features.learned).toEqual([expect.objectContaining({ habit: "maxParts", way: 1_000 })]);
    store.features.recall({ maxParts: 10_000 });
    expect(store.features.maxParts).toBe(1_000);
    await cleanUp();
  });

  test("is not asked for where it is documented or set", async () => {
    for (const [profile, habits] of [
      ["aws", {}],
      ["minio", { maxParts: 500 }],
    ] as const) {
      const { store, server, cleanUp } = await openS3ForTest(profile, { config: { habits } });
      const tiny = async function* () {
        yield PART;
      };
      await uploadStream(store, "large", tiny(), { expectedSize: 2 * 8_001 * 1024 ** 2 });
      expect(countByOperation(server.requests)["CreateMultipartUpload"]).toBeUndefined();
      await cleanUp();
    }
  });

  test("that shows only at part 1,001 is told, and known to the next upload", async () => {
    const { store, cleanUp } = await openS3ForTest("swift-2.38", { server: { rules: { maxParts: 120 } } });
    const upload = await store.beginMultipart("a", { partSize: TEST_PART_SIZE });
    for (let partNumber = 1; partNumber <= 120; partNumber += 1) await upload.putPart(partNumber, PART);
    const error = await expectRejection(upload.putPart(121, PART), "STORE_UNSUPPORTED");
    expect(error.message).toContain("no part number 121");
    expect(store.features.maxParts).toBe(120);
    await upload.abort();
    await cleanUp();
  });
});
