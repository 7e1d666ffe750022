import { readObject, withRetry } from "@soar/storage";
import { countByOperation, type FaultRule, type S3Profile } from "@soar-tooling/s3-server";
import { describe, expect, test } from "vitest";
import { expectRejection, keysOf } from "./expect-rejection.ts";
import { openDriverOn, openS3ForTest, TEST_PART_SIZE } from "./s3-fixture.ts";
import { errorReply, openScripted, pageReply } from "./scripted-server.ts";

const BODY = Buffer.from("bytes of a segment");
const LARGE = Buffer.alloc(1024 ** 2 + 1, 7);

describe("signed bodies", () => {
  test("a bucket's policy that refuses UNSIGNED-PAYLOAD is met once, and then bodies are signed", async () => {
    const { store, server, events, cleanUp } = await openS3ForTest("signed-payload");
    await store.put("a", BODY);
    await store.put("b", BODY);
    expect(server.requests.map(({ status, headers }) => [status, headers["x-amz-content-sha256"]])).toEqual([
      [403, "UNSIGNED-PAYLOAD"],
      [200, expect.stringMatching(/^[0-9a-f]{64}$/)],
      [200, expect.stringMatching(/^[0-9a-f]{64}$/)],
    ]);
    expect(events.filter(({ type }) => type !== "request")).toEqual([
      expect.objectContaining({ habit: "payloadSignature", way: "sha256", fact: "Access Denied" }),
    ]);
    await cleanUp();
  });

  test("parts of an upload are signed after such a refusal, too", async () => {
    const { store, server, cleanUp } = await openS3ForTest("signed-payload");
    const upload = await store.beginMultipart("a", { partSize: TEST_PART_SIZE });
    await upload.putPart(1, BODY);
    await upload.complete();
    expect(await readObject(store, "a")).toEqual(BODY);
    expect(countByOperation(server.requests)).toMatchObject({ UploadPart: 2 });
    await cleanUp();
  });

  test("another store of the process knows it from the first request on, and so does one that is told", async () => {
    const { store, server, cleanUp } = await openS3ForTest("signed-payload");
    await store.put("a", BODY);
    server.requests.splice(0);
    const other = openDriverOn(server);
    await other.put("b", BODY);
    expect(countByOperation(server.requests)).toEqual({ PutObject: 1 });
    await other.close();
    await cleanUp();
    const told = await openS3ForTest("signed-payload", { config: { habits: { payloadSignature: "sha256" } } });
    await told.store.put("a", BODY);
    expect(countByOperation(told.server.requests)).toEqual({ PutObject: 1 });
    await told.cleanUp();
  });

  test.each([
    [400, "InvalidRequest", "UNSIGNED-PAYLOAD is not allowed"],
    [400, "InvalidArgument", "Invalid Argument"],
    [400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."],
    [403, "SignatureDoesNotMatch", "The request signature we calculated does not match"],
    [501, "NotImplemented", "A header you provided implies functionality that is not implemented"],
  ])("an endpoint says %i %s: %s", async (status, code, message) => {
    await using scripted = await openScripted([
      errorReply(status, code, message),
      { headers: { etag: '"9ddc1d4cdd4d0b4d7e4d5a1b5b2a1d3e"' } },
      { headers: { "last-modified": "Sun, 05 Jan 2025 12:00:00 GMT", "content-length": String(BODY.byteLength) } },
    ]);
    await scripted.store.put("a", BODY);
    expect(scripted.store.features.learned).toEqual([
      expect.objectContaining({ habit: "payloadSignature", way: "sha256" }),
    ]);
  });

  test("a key without the right to write is told of the policy's condition, too", async () => {
    const { server, cleanUp } = await openS3ForTest("aws");
    server.addCredential({ accessKeyId: "READER", secretAccessKey: "reader-secret", deny: ["s3:PutObject"] });
    const store = openDriverOn(server, { credentials: { accessKeyId: "READER", secretAccessKey: "reader-secret" } });
    const error = await expectRejection(store.put("a", BODY), "STORE_DENIED");
    expect(error.hint).toContain("s3:x-amz-content-sha256");
    expect(store.features.learned).toEqual([]);
    await store.close();
    await cleanUp();
  });

  test("a right that is missing is denied after one attempt with a signed body, and nothing is learned", async () => {
    const { store, server, cleanUp } = await openS3ForTest("aws");
    await store.put("a", BODY);
    server.inject({
      operation: "PutObject",
      times: "always",
      fault: { type: "error", status: 403, code: "AccessDenied" },
    });
    await expectRejection(store.put("b", BODY), "STORE_DENIED");
    expect(countByOperation(server.requests)).toEqual({ PutObject: 3 });
    expect(store.features.learned).toEqual([]);
    await cleanUp();
  });

  test.each([400, 501])(
    "a server that took an unsigned body a moment ago is not asked again after %i",
    async (status) => {
      const { store, server, cleanUp } = await openS3ForTest("aws");
      await store.put("a", BODY);
      server.inject({
        operation: "PutObject",
        times: "always",
        fault: { type: "error", status, code: "InvalidArgument" },
      });
      await expectRejection(store.put("b", BODY), status === 400 ? "STORE_PROTOCOL" : "STORE_UNSUPPORTED");
      expect(countByOperation(server.requests)).toEqual({ PutObject: 2 });
      await cleanUp();
    },
  );

  const policyOn = (key: string): FaultRule => ({
    operation: ["PutObject", "UploadPart"],
    key,
    headers: { "x-amz-content-sha256": "^UNSIGNED-PAYLOAD$" },
    times: "always",
    fault: { type: "error", status: 403, code: "AccessDenied" },
  });

  test("a policy that holds for wal/ only is met while pieces of the tail go through unsigned", async () => {
    const { store, server, cleanUp } = await openS3ForTest("aws");
    server.inject(policyOn("^wal/"));
    await store.put("tail/1", BODY);
    await store.put("wal/1", BODY);
    await store.put("tail/2", BODY);
    expect(await keysOf(store.list(""))).toEqual(["tail/1", "tail/2", "wal/1"]);
    expect(store.features.learned).toEqual([expect.objectContaining({ habit: "payloadSignature", way: "sha256" })]);
    await cleanUp();
  });

  test("a policy that somebody attaches in the middle of a backup does not end it", async () => {
    const { store, server, cleanUp } = await openS3ForTest("aws");
    const upload = await store.beginMultipart("base/1", { partSize: TEST_PART_SIZE });
    await upload.putPart(1, Buffer.alloc(TEST_PART_SIZE, 1));
    server.inject(policyOn("^base/"));
    await Promise.all([2, 3, 4].map((part) => upload.putPart(part, Buffer.alloc(TEST_PART_SIZE, part))));
    expect(await upload.complete()).toMatchObject({ size: 4 * TEST_PART_SIZE });
    await cleanUp();
  });

  test("a server that refuses Content-MD5 gets the signed digest alone, and is learned to", async () => {
    const { store, server, cleanUp } = await openS3ForTest("no-md5");
    await store.put("a", BODY, { ifAbsent: true });
    server.requests.splice(0);
    await store.put("b", BODY, { ifAbsent: true });
    const [put] = server.requests.filter(({ operation }) => operation === "PutObject");
    expect(put?.headers["content-md5"]).toBeUndefined();
    expect(put?.headers["x-amz-content-sha256"]).toMatch(/^[0-9a-f]{64}$/);
    expect(store.features.learned).toContainEqual(expect.objectContaining({ habit: "contentMd5", way: "refused" }));
    expect(store.features.conditionalPut).not.toBe("refused");
    await cleanUp();
  });
});

describe("'Expect: 100-continue'", () => {
  test("answered with 417 is left out from then on", async () => {
    const { store, server, cleanUp } = await openS3ForTest("refuses-expect");
    await store.put("a", LARGE);
    await store.put("b", LARGE);
    expect(server.requests.map(({ status, headers }) => [status, headers["expect"]])).toEqual([
      [417, "100-continue"],
      [200, undefined],
      [200, undefined],
    ]);
    expect(await readObject(store, "b")).toEqual(LARGE);
    await cleanUp();
  });

  test("that the server overlooks costs a second once, and not for every segment", async () => {
    const { store, server, cleanUp } = await openS3ForTest("ignores-expect");
    for (const key of ["a", "b", "c"]) await store.put(key, LARGE);
    expect(server.requests.map(({ headers }) => headers["expect"])).toEqual(["100-continue", undefined, undefined]);
    expect(store.features.learned).toEqual([expect.objectContaining({ habit: "expectContinue", way: "ignored" })]);
    await cleanUp();
  });

  test("that is answered late is not taken for overlooked", async () => {
    const { store, server, cleanUp } = await openS3ForTest("aws", { server: { latencyMs: 1_200 } });
    await store.put("a", LARGE);
    server.change({ latencyMs: 0 });
    await store.put("b", LARGE);
    expect(server.requests.map(({ headers }) => headers["expect"])).toEqual(["100-continue", "100-continue"]);
    await cleanUp();
  });
});

describe("batch removal", () => {
  test("as Google refuses it (400 InvalidArgument) gives way to single removals, and expiry removes", async () => {
    const { store, server, cleanUp } = await openS3ForTest("google");
    for (const key of ["a", "b", "c", "d"]) await store.put(key, BODY);
    server.requests.splice(0);
    await store.remove(["a", "b"]);
    await store.remove(["c", "d"]);
    expect(countByOperation(server.requests)).toEqual({ DeleteObjects: 1, DeleteObject: 4 });
    expect(server.objects().size).toBe(0);
    await cleanUp();
  });

  test.each([
    [400, "InvalidArgument"],
    [400, "InvalidURI"],
    [404, "NoSuchKey"],
    [411, "MissingContentLength"],
    [415, "UnsupportedMediaType"],
    [501, ""],
  ])("refused by %i %s gives way, too", async (status, code) => {
    await using scripted = await openScripted([errorReply(status, code), { status: 204 }, { status: 204 }]);
    await scripted.store.remove(["a", "b"]);
    expect(scripted.requests).toHaveLength(3);
  });

  test.each([
    [403, "AccessDenied", "STORE_DENIED"],
    [400, "ExpiredToken", "STORE_DENIED"],
    [503, "SlowDown", "STORE_BUSY"],
    [500, "InternalError", "STORE_BUSY"],
    [404, "NoSuchBucket", "BUCKET_MISSING"],
  ] as const)("answered %i %s is about something else", async (status, code, expected) => {
    await using scripted = await openScripted([errorReply(status, code)]);
    await expectRejection(scripted.store.remove(["a", "b"]), expected);
    expect(scripted.requests).toHaveLength(1);
  });

  test("that nobody may do singly either is not remembered", async () => {
    await using scripted = await openScripted([
      errorReply(400, "InvalidArgument"),
      errorReply(400, "InvalidArgument"),
      errorReply(400, "InvalidArgument"),
    ]);
    await expectRejection(scripted.store.remove(["a", "b"]), "STORE_PROTOCOL");
    expect(scripted.store.features.learned).toEqual([]);
  });

  test("that says no to one key for a reason of its own has this key removed singly", async () => {
    await using scripted = await openScripted([
      {
        body: `<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>NotImplemented</Code><Message>x</Message></Error></DeleteResult>`,
      },
      { status: 204 },
    ]);
    await scripted.store.remove(["a", "b"]);
    expect(scripted.requests[1]).toContain("DELETE /bucket/b");
  });
});

describe("listings in an order of their own", () => {
  test("are sorted here, over as many pages as they have, and said once", async () => {
    const { store, server, events, cleanUp } = await openS3ForTest("unordered-listing");
    const keys = Array.from({ length: 40 }, (_, index) => `wal/${String(index).padStart(3, "0")}`);
    for (const key of keys) await store.put(key, BODY);
    expect(await keysOf(store.list("wal/"))).toEqual(keys);
    server.requests.splice(0);
    expect(await keysOf(store.list("wal/", { startAfter: "wal/020" }))).toEqual(keys.slice(21));
    // Pages of seven, none of them asked for behind a key.
    expect(server.requests).toHaveLength(6);
    expect(server.requests.some(({ url }) => url.includes("start-after"))).toBe(false);
    expect(events.filter(({ type }) => type === "habit-learned")).toHaveLength(1);
    await cleanUp();
  });

  const token = (text: string): string =>
    `<IsTruncated>true</IsTruncated><NextContinuationToken>${text}</NextContinuationToken>`;

  test("whose order shows on a later page only are right at once, for commands that run once, too", async () => {
    await using scripted = await openScripted([pageReply(["b", "c"], token("t")), pageReply(["a"])]);
    expect(await keysOf(scripted.store.list(""))).toEqual(["a", "b", "c"]);
    expect(scripted.requests).toHaveLength(2);
    expect(scripted.store.features).toMatchObject({
      listingOrder: "other",
      learned: [expect.objectContaining({ habit: "listingOrder", way: "other" })],
    });
  });

  test("that break off are not gone on with behind a key, which would leave out what lies before it", async () => {
    await using scripted = await openScripted([
      pageReply(["b"], token("t")),
      errorReply(503, "SlowDown"),
      pageReply(["b"], token("t")),
      pageReply(["a", "c"]),
    ]);
    expect(await keysOf(withRetry(scripted.store, { baseDelayMs: 1 }).list(""))).toEqual(["a", "b", "c"]);
    expect(scripted.requests.join()).not.toContain("start-after");
  });

  test("are not asked for behind a key before their order was seen: each prefix by itself", async () => {
    await using scripted = await openScripted([
      pageReply(["w/a", "w/b"], token("t")),
      pageReply(["w/c"]),
      pageReply(["w/c"]),
      pageReply(["x/a", "x/b", "x/c"]),
    ]);
    expect(scripted.store.features.listingOrder).toBe("unknown");
    expect(await keysOf(scripted.store.list("w/", { startAfter: "w/b" }))).toEqual(["w/c"]);
    expect(await keysOf(scripted.store.list("w/", { startAfter: "w/b" }))).toEqual(["w/c"]);
    expect(await keysOf(scripted.store.list("x/", { startAfter: "x/b" }))).toEqual(["x/c"]);
    expect(scripted.requests.map((request) => request.includes("start-after"))).toEqual([false, false, true, false]);
  });

  test("of a server that was found to keep to keys, and does not, name the setting that helps", async () => {
    const pages = [pageReply(["b", "c"], token("t")), pageReply(["a"])];
    for (const config of [{ habits: { listingOrder: "keys" } }, { provider: "minio" }] as const) {
      await using scripted = await openScripted([...pages, ...pages, ...pages], config);
      expect(scripted.store.features.listingOrder).toBe("keys");
      const error = await expectRejection(keysOf(scripted.store.list("")), "STORE_PROTOCOL");
      expect(error).toMatchObject({ retryable: false, hint: expect.stringContaining("listingOrder") });
      expect(await keysOf(scripted.store.list(""))).toEqual(["a", "b", "c"]);
    }
    await using told = await openScripted(pages, { habits: { listingOrder: "other" } });
    told.store.features.recall({ listingOrder: "keys" });
    expect(await keysOf(told.store.list(""))).toEqual(["a", "b", "c"]);
  });

  test("that were found to be in the order of keys are given page by page", async () => {
    await using scripted = await openScripted([pageReply(["a", "b"], token("t")), pageReply(["c"])]);
    scripted.store.features.recall({ listingOrder: "keys" });
    for await (const { key } of scripted.store.list("")) {
      expect(key).toBe("a");
      break;
    }
    expect(scripted.requests).toHaveLength(1);
  });

  test("that go on behind what was given already are right at once", async () => {
    const pages = [pageReply(["a", "b"], token("t")), pageReply(["d", "c"])];
    await using scripted = await openScripted([...pages, ...pages], { habits: { listingOrder: "keys" } });
    expect(await keysOf(scripted.store.list(""))).toEqual(["a", "b", "c", "d"]);
  });

  test.each([
    [
      "whose pages overlap",
      [
        pageReply(["c", "b"], `<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>`),
        pageReply(["b", "a"]),
      ],
    ],
    ["that do not say whether more follow", [pageReply(["b", "a"], "")]],
  ])("%s are not believed", async (_name, pages) => {
    await using scripted = await openScripted([...pages.slice(0, 1), ...pages]);
    await expectRejection(keysOf(scripted.store.list("")), "STORE_PROTOCOL");
    expect(scripted.store.features.learned).toEqual([]);
  });
});

describe("what a put returns", () => {
  test("has the time of the server's clock, not of this machine's", async () => {
    const { store, server, cleanUp } = await openS3ForTest("aws");
    server.change({ clockOffsetMs: -10 * 60_000 });
    const { modifiedAt } = await store.put("a", BODY);
    const seen = await store.stat("a");
    expect(Math.abs(modifiedAt.getTime() - (seen?.modifiedAt.getTime() ?? 0))).toBeLessThan(2_000);
    expect(Date.now() - modifiedAt.getTime()).toBeGreaterThan(9 * 60_000);
    await cleanUp();
  });

  test("is looked up where the answer has no date", async () => {
    const when = "Sun, 05 Jan 2025 12:00:00 GMT";
    const md5 = "3ed2f8a4e1d7a8c6f1a1c0b2d3e4f5a6";
    await using scripted = await openScripted([
      {
        act: (_request, response) => ((response.sendDate = false), response.writeHead(200, { etag: `"${md5}"` }).end()),
      },
      { headers: { "last-modified": when, "content-length": String(BODY.byteLength), etag: `"${md5}"` } },
    ]);
    expect(await scripted.store.put("a", BODY)).toMatchObject({ modifiedAt: new Date(when) });
  });
});

describe("a clock that is wrong by an hour", () => {
  test.each([-1, 1])("is said to HEAD, too, whose refusal has no body (%i)", async (direction) => {
    const { store, server, cleanUp } = await openS3ForTest("aws");
    await store.put("a", BODY);
    server.change({ clockOffsetMs: direction * 3600_000 });
    const error = await expectRejection(store.stat("a"), "CLOCK_SKEWED");
    expect(error.hint).toContain("timedatectl");
    expect(await withRetry(store, { baseDelayMs: 1 }).stat("a")).toMatchObject({ size: BODY.byteLength });
    await cleanUp();
  });

  test.each<[number, string]>([
    [403, "AccessDenied"],
    [403, "SignatureDoesNotMatch"],
    [401, "Unauthorized"],
  ])("is meant by %i %s, too", async (status, code) => {
    const date = new Date(Date.now() + 3600_000).toUTCString();
    await using scripted = await openScripted([{ ...errorReply(status, code), headers: { date } }]);
    await expectRejection(scripted.store.get("a"), "CLOCK_SKEWED");
  });

  test("is not meant by a refusal whose date agrees", async () => {
    const date = new Date(Date.now() + 600_000).toUTCString();
    await using scripted = await openScripted([{ ...errorReply(403, "AccessDenied"), headers: { date } }]);
    await expectRejection(scripted.store.get("a"), "STORE_DENIED");
  });
});

test.each<S3Profile>(["refuses-expect", "signed-payload", "google", "no-md5"])(
  "every attempt is told of, also the one that was refused for its manner (%s)",
  async (profile) => {
    const { store, server, events, cleanUp } = await openS3ForTest(profile);
    await store.put("a", LARGE);
    await store.put("b", LARGE);
    await store.remove(["a", "b"]);
    expect(events.filter(({ type }) => type === "request")).toHaveLength(server.requests.length);
    await cleanUp();
  },
);
