import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { S3Profile } from "./profiles.ts";
import { openServerForTest } from "./s3-server.fixture.ts";
import type { RawS3Response, S3TestClient } from "./s3-test-client.ts";

function md5(text: string): string {
  return `"${createHash("md5").update(text).digest("hex")}"`;
}

function put(
  client: S3TestClient,
  key: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<RawS3Response> {
  return client.send({ method: "PUT", key, body, headers });
}

describe("objects", () => {
  test("are read as they were written, with what was said about them", async () => {
    await using open = await openServerForTest();
    const { client } = open;
    const headers = {
      "content-type": "text/plain",
      "x-amz-meta-who": "söar",
      "x-amz-server-side-encryption": "AES256",
      "x-amz-storage-class": "STANDARD_IA",
    };
    expect((await put(client, "k", "body", headers)).headers).toMatchObject({
      etag: md5("body"),
      "x-amz-server-side-encryption": "AES256",
    });
    const described = {
      "content-type": "text/plain",
      "x-amz-storage-class": "STANDARD_IA",
      etag: md5("body"),
      "content-length": "4",
      "x-amz-meta-who": "söar",
    };
    expect(await client.send({ method: "GET", key: "k" })).toMatchObject({
      status: 200,
      text: "body",
      headers: described,
    });
    expect(await client.send({ method: "HEAD", key: "k" })).toMatchObject({
      status: 200,
      text: "",
      headers: described,
    });
  });

  test("that are missing are told apart from buckets that are missing", async () => {
    await using open = await openServerForTest();
    expect(await open.client.send({ method: "GET", key: "no" })).toMatchObject({ status: 404, errorCode: "NoSuchKey" });
    expect(await open.client.send({ method: "GET", bucket: "none", key: "no" })).toMatchObject({
      status: 404,
      errorCode: "NoSuchBucket",
    });
    expect(await open.client.send({ method: "HEAD", key: "no" })).toMatchObject({ status: 404, text: "" });
    expect((await open.client.send({ method: "PUT", key: "k".repeat(1025), body: "" })).errorCode).toBe(
      "KeyTooLongError",
    );
  });

  test.each([
    ["bytes=2-4", 206, "cde", "bytes 2-4/10"],
    ["bytes=7-", 206, "hij", "bytes 7-9/10"],
    ["bytes=-3", 206, "hij", "bytes 7-9/10"],
    ["bytes=-30", 206, "abcdefghij", "bytes 0-9/10"],
    ["bytes=8-99", 206, "ij", "bytes 8-9/10"],
    ["bytes=4-2", 200, "abcdefghij", undefined],
    ["bytes=0-1,3-4", 200, "abcdefghij", undefined],
    ["lines=1-2", 200, "abcdefghij", undefined],
  ])("give the range %s", async (range, status, text, contentRange) => {
    await using open = await openServerForTest();
    await put(open.client, "k", "abcdefghij");
    const reply = await open.client.send({ method: "GET", key: "k", headers: { range } });
    expect(reply).toMatchObject({ status, text });
    expect(reply.headers["content-range"]).toBe(contentRange);
  });

  test.each(["bytes=10-", "bytes=99-100", "bytes=-0"])("have nothing to give for %s", async (range) => {
    await using open = await openServerForTest();
    await put(open.client, "k", "abcdefghij");
    const reply = await open.client.send({ method: "GET", key: "k", headers: { range } });
    expect(reply).toMatchObject({ status: 416, errorCode: "InvalidRange", headers: { "content-range": "bytes */10" } });
  });

  test("are read under conditions", async () => {
    await using open = await openServerForTest();
    const { client } = open;
    await put(client, "k", "x");
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await client.send({ method: "GET", key: "k", headers })).status;
    expect(await status({ "if-match": md5("x") })).toBe(200);
    expect(await status({ "if-match": md5("y") })).toBe(412);
    expect(await status({ "if-none-match": md5("x") })).toBe(304);
    expect(await status({ "if-modified-since": new Date(Date.now() + 60_000).toUTCString() })).toBe(304);
    expect(await status({ "if-unmodified-since": new Date(0).toUTCString() })).toBe(412);
  });

  test("get an ETag that is no MD5 under KMS", async () => {
    await using open = await openServerForTest();
    const { headers } = await put(open.client, "k", "x", {
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": "my-key",
    });
    expect(headers).toMatchObject({
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": "my-key",
    });
    expect(headers["etag"]).not.toBe(md5("x"));
    await using b2 = await openServerForTest({ profile: "b2" });
    expect((await put(b2.client, "k", "x", { "x-amz-server-side-encryption": "aws:kms" })).errorCode).toBe(
      "NotImplemented",
    );
    expect((await put(b2.client, "k", "x", { "x-amz-storage-class": "GLACIER" })).errorCode).toBe(
      "InvalidStorageClass",
    );
  });

  test("of an archive class are thawed before they are read", async () => {
    await using open = await openServerForTest();
    const { client, server } = open;
    await put(client, "k", "cold", { "x-amz-storage-class": "DEEP_ARCHIVE" });
    expect(await client.send({ method: "GET", key: "k" })).toMatchObject({
      status: 403,
      errorCode: "InvalidObjectState",
    });
    expect((await client.send({ method: "HEAD", key: "k" })).status).toBe(200);
    const restore = {
      method: "POST",
      key: "k",
      query: { restore: "" },
      body: "<RestoreRequest><Days>2</Days></RestoreRequest>",
    };
    expect((await client.send(restore)).status).toBe(202);
    expect((await client.send({ method: "GET", key: "k" })).text).toBe("cold");
    server.change({ clockOffsetMs: 3 * 24 * 3600_000 });
    expect((await client.send({ method: "GET", key: "k", time: Date.now() + 3 * 24 * 3600_000 })).errorCode).toBe(
      "InvalidObjectState",
    );
  });

  test("are copied by the server", async () => {
    await using open = await openServerForTest();
    const { client, server } = open;
    await put(client, "from here", "x", { "content-type": "text/plain" });
    const copy = (key: string, headers: Record<string, string> = {}) =>
      client.send({
        method: "PUT",
        key,
        headers: { "x-amz-copy-source": `/${server.bucket}/from%20here`, ...headers },
      });
    expect((await copy("to")).text).toContain("CopyObjectResult");
    expect(server.objects().get("to")?.headers).toEqual({ "content-type": "text/plain" });
    expect((await copy("from here")).errorCode).toBe("InvalidRequest");
    expect((await copy("from here", { "x-amz-storage-class": "STANDARD_IA" })).status).toBe(200);
    expect(
      (await client.send({ method: "PUT", key: "k", headers: { "x-amz-copy-source": `${server.bucket}/none` } }))
        .errorCode,
    ).toBe("NoSuchKey");
  });

  test("lie in files when they are told to, and leave none behind", async () => {
    const directory = await mkdtemp(join(tmpdir(), "soar-s3-"));
    const body = "0123456789".repeat(250_000);
    {
      await using open = await openServerForTest({ directory });
      await put(open.client, "k", body);
      expect((await open.client.send({ method: "GET", key: "k" })).text === body).toBe(true);
      expect(
        (await open.client.send({ method: "GET", key: "k", headers: { range: "bytes=1048570-1048585" } })).text,
      ).toBe("0123456789012345");
      expect((await open.client.send({ method: "PUT", key: "k", body, payloadHash: "0".repeat(64) })).status).toBe(400);
      expect((await readdir(directory, { recursive: true })).length).toBe(2);
    }
    expect(await readdir(directory)).toEqual([]);
    await rm(directory, { recursive: true });
  });
});

describe("conditional writes", () => {
  const ifAbsent = { "if-none-match": "*" };

  test("succeed for exactly one of many at once", async () => {
    await using open = await openServerForTest();
    const bodies = Array.from({ length: 20 }, (_, index) => `writer ${index}`);
    const replies = await Promise.all(bodies.map((body) => put(open.client, "k", body, ifAbsent)));
    const winners = bodies.filter((_, index) => replies[index]?.status === 200);
    expect(winners).toHaveLength(1);
    expect(
      replies.filter(({ status, errorCode }) => status === 412 && errorCode === "PreconditionFailed"),
    ).toHaveLength(19);
    expect((await open.client.send({ method: "GET", key: "k" })).text).toBe(winners[0]);
  });

  test("are decided again when the body has arrived", async () => {
    await using open = await openServerForTest();
    const stall = open.server.inject({ operation: "PutObject", fault: { type: "stall-request", afterBytes: 1 } });
    const slow = put(open.client, "k", "slow", ifAbsent);
    await stall.firstHit;
    expect((await put(open.client, "k", "fast", ifAbsent)).status).toBe(200);
    stall.release();
    expect((await slow).status).toBe(412);
  });

  test.each([
    ["aws", 412, "first"],
    ["r2", 412, "first"],
    ["b2", 501, "first"],
    ["refuses-conditions", 501, "first"],
    ["ignores-conditions", 200, "second"],
  ] as const satisfies readonly (readonly [S3Profile, number, string])[])(
    "on %s: %i",
    async (profile, status, text) => {
      await using open = await openServerForTest({ profile });
      await put(open.client, "k", "first");
      expect((await put(open.client, "k", "second", ifAbsent)).status).toBe(status);
      expect((await open.client.send({ method: "GET", key: "k" })).text).toBe(text);
    },
  );

  test("know If-Match", async () => {
    await using open = await openServerForTest();
    expect(await put(open.client, "k", "x", { "if-match": md5("x") })).toMatchObject({
      status: 404,
      errorCode: "NoSuchKey",
    });
    await put(open.client, "k", "x");
    expect((await put(open.client, "k", "y", { "if-match": md5("z") })).status).toBe(412);
    expect((await put(open.client, "k", "y", { "if-match": md5("x") })).status).toBe(200);
    expect((await put(open.client, "k", "y", { "if-none-match": md5("x") })).status).toBe(501);
  });
});

describe("deleting", () => {
  const batch = (keys: readonly string[]): string =>
    `<Delete>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join("")}</Delete>`;
  const digest = (body: string): Record<string, string> => ({
    "content-md5": createHash("md5").update(body).digest("base64"),
  });

  test("counts a key that is not there as deleted", async () => {
    await using open = await openServerForTest();
    await put(open.client, "k", "x");
    expect((await open.client.send({ method: "DELETE", key: "k" })).status).toBe(204);
    expect((await open.client.send({ method: "DELETE", key: "k" })).status).toBe(204);
    expect(open.server.objects().size).toBe(0);
  });

  test("in batches needs a proof of the body and gives a verdict per key", async () => {
    const deny = [{ action: "s3:DeleteObject", keyPrefix: "locked/" }];
    await using open = await openServerForTest({ credentials: { accessKeyId: "a", secretAccessKey: "b", deny } });
    for (const key of ["a", "locked/b"]) await put(open.client, key, "x");
    const body = batch(["a", "locked/b", "never"]);
    const request = { method: "POST", query: { delete: "" }, body };
    expect(await open.client.send(request)).toMatchObject({
      status: 400,
      errorCode: "InvalidRequest",
      errorMessage: expect.stringContaining("Content-MD5"),
    });
    const reply = await open.client.send({ ...request, headers: digest(body) });
    expect(reply.status).toBe(200);
    expect(reply.text).toContain(
      "<Deleted><Key>a</Key></Deleted><Error><Key>locked/b</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error><Deleted><Key>never</Key></Deleted>",
    );
    expect([...open.server.objects().keys()]).toEqual(["locked/b"]);
  });

  test("in batches of more than a thousand is refused", async () => {
    await using open = await openServerForTest();
    const body = batch(Array.from({ length: 1001 }, (_, index) => `k${index}`));
    expect(
      (await open.client.send({ method: "POST", query: { delete: "" }, body, headers: digest(body) })).errorCode,
    ).toBe("MalformedXML");
  });

  test.each([
    ["single-deletes", 501, "NotImplemented"],
    ["md5-only", 400, "MissingContentMD5"],
    ["b2", 400, "InvalidRequest"],
  ] as const satisfies readonly (readonly [S3Profile, number, string])[])(
    "in batches on %s is refused in its own words",
    async (profile, status, errorCode) => {
      await using open = await openServerForTest({ profile });
      const body = batch(["a"]);
      expect(await open.client.send({ method: "POST", query: { delete: "" }, body })).toMatchObject({
        status,
        errorCode,
      });
    },
  );
});
