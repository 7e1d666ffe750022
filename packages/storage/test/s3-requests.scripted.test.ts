import { readObject, uploadStream } from "@soar/storage";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openDriverOn, openS3ForTest, type S3ForTest, TEST_PART_SIZE } from "./s3-fixture.ts";

let s3: S3ForTest;
beforeAll(async () => {
  s3 = await openS3ForTest("aws");
});
afterAll(() => s3.cleanUp());
beforeEach(() => void s3.server.requests.splice(0));

async function* streamOf(size: number): AsyncGenerator<Uint8Array, void, void> {
  yield Buffer.alloc(size, 7);
}

describe("every request", () => {
  test("has an exact length, and no checksum header, trailer or chunked encoding that providers refuse", async () => {
    await s3.store.put("a", Buffer.from("abc"), { ifAbsent: true });
    await uploadStream(s3.store, "big", streamOf(TEST_PART_SIZE * 3 + 1), {
      expectedSize: 1,
      partSize: TEST_PART_SIZE,
    });
    await readObject(s3.store, "a");
    await s3.store.remove(["a", "big"]);
    expect(s3.server.requests.length).toBeGreaterThan(7);
    for (const { operation, headers } of s3.server.requests) {
      expect(
        Object.keys(headers).filter((name) =>
          /checksum|trailer|decoded|^transfer-encoding$|^content-encoding$/.test(name),
        ),
        operation,
      ).toEqual([]);
      const hasBody = /^(?:PutObject|UploadPart)$/.test(operation ?? "");
      expect(headers["x-amz-content-sha256"], operation).toMatch(hasBody ? /^UNSIGNED-PAYLOAD$/ : /^[0-9a-f]{64}$/);
      // The body of these is bound to the signature by its MD5, a signed header.
      if (hasBody) expect(headers["content-md5"], operation).toMatch(/^[A-Za-z0-9+/]{22}==$/);
    }
  });

  test("is told of with its kind and outcome, each attempt for itself", async () => {
    const told = async (work: () => Promise<unknown>): Promise<string[]> => {
      s3.events.splice(0);
      await work().catch(() => undefined);
      return s3.events.map((event) => (event.type === "request" ? `${event.kind} ${event.outcome}` : event.type));
    };
    expect(await told(() => s3.store.put("told", Buffer.from("abc")))).toEqual(["put ok"]);
    expect(await told(() => s3.store.put("told", Buffer.from("abc"), { ifAbsent: true }))).toContain("put refused");
    expect(await told(() => s3.store.stat("nowhere"))).toEqual(["head refused"]);
    expect(
      await told(() =>
        uploadStream(s3.store, "parts", streamOf(TEST_PART_SIZE * 2), { expectedSize: 1, partSize: TEST_PART_SIZE }),
      ),
    ).toEqual(["multipart ok", "multipart ok", "multipart ok", "multipart ok", "head ok"]);
    s3.server.inject({ operation: "GetObject", fault: { type: "busy" } });
    expect(await told(() => readObject(s3.store, "told"))).toEqual(["get failed"]);
    s3.server.inject({ operation: "ListObjectsV2", fault: { type: "reset-request", afterBytes: 0 } });
    expect(await told(() => Array.fromAsync(s3.store.list("")))).toEqual(["list unanswered"]);
    expect(await told(() => s3.store.remove(["told", "parts"]))).toEqual(["delete ok"]);
  });

  test("with a body proves it by Content-MD5, DeleteObjects too", async () => {
    await s3.store.put("a", Buffer.from("abc"));
    await uploadStream(s3.store, "big", streamOf(TEST_PART_SIZE * 2), { expectedSize: 1, partSize: TEST_PART_SIZE });
    await s3.store.remove(["a", "big"]);
    const bodies = s3.server.requests.filter(({ operation }) =>
      ["PutObject", "UploadPart", "DeleteObjects"].includes(operation ?? ""),
    );
    expect(bodies).toHaveLength(4);
    for (const { headers } of bodies) expect(headers["content-md5"]).toMatch(/^[A-Za-z0-9+/]{22}==$/);
  });

  test("for a listing asks for encoded keys, because XML cannot carry every character", async () => {
    await s3.store.abortStaleUploads("", new Date(0));
    for await (const { key } of s3.store.list("")) expect(key).not.toBe("");
    expect(s3.server.requests.map(({ url }) => url).every((url) => url.includes("encoding-type=url"))).toBe(true);
  });

  test("goes over few connections that are kept", async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => s3.store.put(`many/${index}`, Buffer.from("x"))));
    expect(s3.server.requests).toHaveLength(20);
    for (const { headers } of s3.server.requests) expect(headers["connection"]).toBe("keep-alive");
  });

  test("names bucket and key in the path for unknown hosts", async () => {
    await s3.store.put("dir/key with space+plus", Buffer.from("x"));
    expect(s3.server.requests.at(-1)?.url).toMatch(new RegExp(`^/${s3.server.bucket}/dir/key%20with%20space%2Bplus`));
  });
});

test("a put of known bytes costs one request where the server decides about conditions", async () => {
  const store = openDriverOn(s3.server, { habits: { conditionalPut: "honoured" } });
  await store.put("one-request", Buffer.from("x"), { ifAbsent: true });
  expect(s3.server.requests.map(({ operation }) => operation)).toEqual(["PutObject"]);
  expect(s3.server.requests[0]?.headers["if-none-match"]).toBe("*");
  await store.close();
});

test("encryption and storage class of the configuration go with every new object", async () => {
  const store = openDriverOn(s3.server, {
    serverSideEncryption: { mode: "aws:kms", keyId: "alias/soar" },
    storageClass: "STANDARD_IA",
  });
  await store.put("encrypted", Buffer.from("abc"), { ifAbsent: true });
  await uploadStream(store, "encrypted-big", streamOf(TEST_PART_SIZE * 2 + 1), {
    expectedSize: 1,
    partSize: TEST_PART_SIZE,
  });
  const writes = s3.server.requests.filter(
    ({ operation }) => operation === "PutObject" || operation === "CreateMultipartUpload",
  );
  expect(writes).toHaveLength(2);
  for (const { headers } of writes) {
    expect(headers).toMatchObject({
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": "alias/soar",
      "x-amz-storage-class": "STANDARD_IA",
    });
  }
  expect(await store.stat("encrypted")).toMatchObject({ size: 3, storageClass: "STANDARD_IA" });
  await store.close();
});

test("SSE-S3 is asked for by its name", async () => {
  const store = openDriverOn(s3.server, { serverSideEncryption: { mode: "AES256" } });
  await store.put("sse", Buffer.from("abc"));
  expect(s3.server.requests.at(-1)?.headers["x-amz-server-side-encryption"]).toBe("AES256");
  await store.close();
});

test("a session token is signed and sent", async () => {
  s3.server.addCredential({ accessKeyId: "TEMPORARY", secretAccessKey: "temporary-secret", sessionToken: "the-token" });
  const store = openDriverOn(s3.server, {
    credentials: { accessKeyId: "TEMPORARY", secretAccessKey: "temporary-secret", sessionToken: "the-token" },
  });
  await store.put("with-token", Buffer.from("abc"));
  expect(s3.server.requests.at(-1)).toMatchObject({ accessKeyId: "TEMPORARY", status: 200 });
  await store.close();
});

test("the bucket goes into the host name when asked for", async () => {
  const endpoint = s3.server.endpoint.replace("127.0.0.1", "localhost");
  const store = openDriverOn(s3.server, { endpoint, pathStyle: false });
  await store.put("by-host", Buffer.from("abc"));
  expect(s3.server.requests.at(-1)?.headers["host"]).toBe(`${s3.server.bucket}.localhost:${s3.server.port}`);
  await store.close();
});
