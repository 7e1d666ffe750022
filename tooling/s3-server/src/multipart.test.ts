import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { S3Profile } from "./profiles.ts";
import { openServerForTest, type ServerForTest } from "./s3-server.fixture.ts";
import type { RawS3Response, S3TestClient } from "./s3-test-client.ts";
import type { S3ServerOptions } from "./start-s3-server.ts";
import { childrenOf, parseXml, textOf } from "./xml.ts";

const SMALL: S3ServerOptions = { rules: { minPartSize: 4 } };

interface UploadForTest {
  readonly uploadId: string;
  put(partNumber: number, body: string, headers?: Record<string, string>): Promise<RawS3Response>;
  /** Names the parts with the ETags that their bodies have. */
  complete(
    parts: readonly (readonly [partNumber: number, body: string])[],
    headers?: Record<string, string>,
  ): Promise<RawS3Response>;
  abort(): Promise<RawS3Response>;
  list(query?: Record<string, string>): Promise<RawS3Response>;
}

async function begin(
  { client }: ServerForTest,
  key = "k",
  headers: Record<string, string> = {},
): Promise<UploadForTest> {
  const { text } = await client.send({ method: "POST", key, query: { uploads: "" }, headers });
  const uploadId = textOf(parseXml(text, "InitiateMultipartUploadResult"), "UploadId") ?? "";
  const send = (method: string, request: Partial<Parameters<S3TestClient["send"]>[0]>) =>
    client.send({ method, key, ...request, query: { uploadId, ...request.query } });
  return {
    uploadId,
    put: (partNumber, body, partHeaders = {}) =>
      send("PUT", { query: { partNumber: String(partNumber) }, body, headers: partHeaders }),
    complete(parts, completeHeaders = {}) {
      const items = parts.map(
        ([number, body]) =>
          `<Part><PartNumber>${number}</PartNumber><ETag>"${createHash("md5").update(body).digest("hex")}"</ETag></Part>`,
      );
      return send("POST", {
        body: `<CompleteMultipartUpload>${items.join("")}</CompleteMultipartUpload>`,
        headers: completeHeaders,
      });
    },
    abort: () => send("DELETE", {}),
    list: (query = {}) => send("GET", { query }),
  };
}

describe("uploads in parts", () => {
  test("appear whole at completion, with the ETag of their parts' digests", async () => {
    await using open = await openServerForTest(SMALL);
    const upload = await begin(open, "k", { "content-type": "text/plain" });
    expect((await upload.put(2, "worl")).status).toBe(200);
    await upload.put(1, "overwritten");
    await upload.put(1, "hello ");
    await upload.put(3, "d");
    expect(open.server.objects().size).toBe(0);
    const reply = await upload.complete([
      [1, "hello "],
      [2, "worl"],
      [3, "d"],
    ]);
    const digests = ["hello ", "worl", "d"].map((body) => createHash("md5").update(body).digest());
    expect(reply.text).toContain(`&quot;${createHash("md5").update(Buffer.concat(digests)).digest("hex")}-3&quot;`);
    expect(await open.client.send({ method: "GET", key: "k" })).toMatchObject({
      text: "hello world",
      headers: { "content-type": "text/plain" },
    });
    expect((await open.client.send({ method: "GET", key: "k", headers: { range: "bytes=4-7" } })).text).toBe("o wo");
    expect((await upload.complete([[1, "hello "]])).errorCode).toBe("NoSuchUpload");
  });

  test("are refused when the list of parts is wrong", async () => {
    await using open = await openServerForTest(SMALL);
    const upload = await begin(open);
    for (const [number, body] of [
      [1, "abcd"],
      [2, "ef"],
      [3, "ghij"],
    ] as const)
      await upload.put(number, body);
    const code = async (...parts: (readonly [number, string])[]): Promise<string | undefined> =>
      (await upload.complete(parts)).errorCode;
    expect(await code()).toBe("MalformedXML");
    expect(await code([2, "ef"], [1, "abcd"])).toBe("InvalidPartOrder");
    expect(await code([1, "abcd"], [1, "abcd"])).toBe("InvalidPartOrder");
    expect(await code([1, "other"])).toBe("InvalidPart");
    expect(await code([1, "abcd"], [4, "none"])).toBe("InvalidPart");
    expect(await code([1, "abcd"], [2, "ef"], [3, "ghij"])).toBe("EntityTooSmall");
    expect(await code([1, "abcd"], [2, "ef"])).toBeUndefined();
    expect((await open.client.send({ method: "GET", key: "k" })).text).toBe("abcdef");
  });

  test.each([
    ["aws", 10_000],
    ["scaleway", 1_000],
  ] as const satisfies readonly (readonly [S3Profile, number])[])(
    "have no part beyond the limit of %s",
    async (profile, maxParts) => {
      await using open = await openServerForTest({ profile });
      const upload = await begin(open);
      expect((await upload.put(maxParts, "x")).status).toBe(200);
      expect(await upload.put(maxParts + 1, "x")).toMatchObject({
        status: 400,
        errorCode: "InvalidArgument",
        errorMessage: `Part number must be an integer between 1 and ${maxParts}, inclusive`,
      });
      expect((await upload.put(0, "x")).errorCode).toBe("InvalidArgument");
    },
  );

  test("want equal parts on r2", async () => {
    await using open = await openServerForTest({ profile: "r2", ...SMALL });
    const upload = await begin(open);
    await upload.put(1, "abcd");
    await upload.put(2, "abcdef");
    await upload.put(3, "ab");
    const message = "All non-trailing parts must have the same length.";
    expect(
      await upload.complete([
        [1, "abcd"],
        [2, "abcdef"],
        [3, "ab"],
      ]),
    ).toMatchObject({ errorCode: "InvalidPart", errorMessage: message });
    expect(
      await upload.complete([
        [1, "abcd"],
        [2, "abcdef"],
      ]),
    ).toMatchObject({ errorMessage: message });
    expect(
      (
        await upload.complete([
          [1, "abcd"],
          [3, "ab"],
        ])
      ).status,
    ).toBe(200);
  });

  test("respect If-None-Match at completion", async () => {
    await using open = await openServerForTest(SMALL);
    const upload = await begin(open);
    await upload.put(1, "late");
    await open.client.send({ method: "PUT", key: "k", body: "first" });
    expect((await upload.complete([[1, "late"]], { "if-none-match": "*" })).status).toBe(412);
    expect((await open.client.send({ method: "GET", key: "k" })).text).toBe("first");
    expect((await upload.complete([[1, "late"]])).status).toBe(200);
  });

  test("check the size and the checksums that the client declares", async () => {
    await using open = await openServerForTest(SMALL);
    const upload = await begin(open, "k", { "x-amz-checksum-algorithm": "SHA256" });
    const sha256 = createHash("sha256").update("abcd").digest("base64");
    await upload.put(1, "abcd");
    expect((await upload.complete([[1, "abcd"]])).errorMessage).toContain("It was missing for part 1");
    await upload.put(1, "abcd", { "x-amz-checksum-sha256": sha256 });
    expect((await upload.complete([[1, "abcd"]], { "x-amz-mp-object-size": "5" })).errorCode).toBe("InvalidRequest");
    expect((await upload.complete([[1, "abcd"]], { "x-amz-mp-object-size": "4" })).status).toBe(200);
    const composite = createHash("sha256").update(Buffer.from(sha256, "base64")).digest("base64");
    const { headers } = await open.client.send({
      method: "HEAD",
      key: "k",
      headers: { "x-amz-checksum-mode": "ENABLED" },
    });
    expect(headers["x-amz-checksum-sha256"]).toBe(`${composite}-1`);
  });

  test("give their space back when they are aborted", async () => {
    await using open = await openServerForTest({ ...SMALL, quotaBytes: 10 });
    const upload = await begin(open);
    await upload.put(1, "12345678");
    expect((await open.client.send({ method: "PUT", key: "x", body: "12345" })).errorCode).toBe("QuotaExceeded");
    expect((await upload.abort()).status).toBe(204);
    expect((await upload.abort()).errorCode).toBe("NoSuchUpload");
    expect((await upload.put(1, "x")).errorCode).toBe("NoSuchUpload");
    expect((await open.client.send({ method: "PUT", key: "x", body: "12345" })).status).toBe(200);
  });

  test("that are aborted under a part on its way keep nothing", async () => {
    await using open = await openServerForTest({ ...SMALL, quotaBytes: 10 });
    const upload = await begin(open);
    const stall = open.server.inject({ operation: "UploadPart", fault: { type: "stall-request", afterBytes: 1 } });
    const part = upload.put(1, "12345678");
    await stall.firstHit;
    await upload.abort();
    stall.release();
    expect((await part).errorCode).toBe("NoSuchUpload");
    expect((await open.client.send({ method: "PUT", key: "x", body: "12345678" })).status).toBe(200);
  });

  test("list their parts page by page", async () => {
    await using open = await openServerForTest();
    const upload = await begin(open);
    for (const number of [1, 2, 5]) await upload.put(number, "x".repeat(number));
    const first = parseXml((await upload.list({ "max-parts": "2" })).text, "ListPartsResult");
    expect(childrenOf(first, "Part").map((part) => [textOf(part, "PartNumber"), textOf(part, "Size")])).toEqual([
      ["1", "1"],
      ["2", "2"],
    ]);
    expect([textOf(first, "IsTruncated"), textOf(first, "NextPartNumberMarker")]).toEqual(["true", "2"]);
    const rest = parseXml((await upload.list({ "part-number-marker": "2" })).text, "ListPartsResult");
    expect(childrenOf(rest, "Part").map((part) => textOf(part, "PartNumber"))).toEqual(["5"]);
  });

  test("are listed by key and age, page by page", async () => {
    await using open = await openServerForTest();
    const ids = [];
    for (const key of ["b", "a/1", "a/2", "a/2"]) ids.push((await begin(open, key)).uploadId);
    const found: (string | undefined)[] = [];
    let query: Record<string, string> = {};
    for (let more = true; more;) {
      const page = parseXml(
        (await open.client.send({ method: "GET", query: { uploads: "", "max-uploads": "1", ...query } })).text,
        "ListMultipartUploadsResult",
      );
      found.push(...childrenOf(page, "Upload").map((node) => textOf(node, "Key")));
      query = {
        "key-marker": textOf(page, "NextKeyMarker") ?? "",
        "upload-id-marker": textOf(page, "NextUploadIdMarker") ?? "",
      };
      more = textOf(page, "IsTruncated") === "true";
    }
    expect(found).toEqual(["a/1", "a/2", "a/2", "b"]);
    const page = await open.client.send({ method: "GET", query: { uploads: "", prefix: "a/" } });
    expect(page.text).toContain(ids[1]);
    expect(page.text).not.toContain(ids[0]);
  });

  test("copy parts out of other objects", async () => {
    await using open = await openServerForTest(SMALL);
    await open.client.send({ method: "PUT", key: "source", body: "0123456789" });
    const upload = await begin(open);
    const source = { "x-amz-copy-source": `${open.server.bucket}/source` };
    const query = { uploadId: upload.uploadId, partNumber: "1" };
    const copy = (range: string) =>
      open.client.send({ method: "PUT", key: "k", query, headers: { ...source, "x-amz-copy-source-range": range } });
    expect((await copy("bytes=3-10")).errorCode).toBe("InvalidArgument");
    expect((await copy("bytes=3-6")).text).toContain("CopyPartResult");
    await upload.complete([[1, "3456"]]);
    expect((await open.client.send({ method: "GET", key: "k" })).text).toBe("3456");
  });
});
