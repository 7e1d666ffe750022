import { describe, expect, test } from "vitest";
import { encodeAwsChunked, presignUrl, signRequest, type Signer } from "./sign-request.ts";
import { formatTimestamp, parseTimestamp, sha256Hex } from "./sigv4.ts";

// The examples of AWS's own documentation, whose signatures AWS computed:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, sigv4-streaming.html, sigv4-query-string-auth.html
const SIGNER: Signer = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  region: "us-east-1",
};
const TIME = Date.UTC(2013, 4, 24);
const EMPTY = sha256Hex("");
const BASE = {
  method: "GET",
  host: "examplebucket.s3.amazonaws.com",
  path: "/",
  query: {},
  headers: {},
  payloadHash: EMPTY,
  time: TIME,
};

function signatureOf(
  request: typeof BASE & { headers: Record<string, string>; query: Record<string, string> },
): string {
  return /Signature=(.*)$/.exec(signRequest(SIGNER, request).headers["authorization"] ?? "")?.[1] ?? "";
}

describe("signature version 4", () => {
  test("signs AWS's example of a GET with a range", () => {
    expect(signatureOf({ ...BASE, path: "/test.txt", headers: { range: "bytes=0-9" } })).toBe(
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
  });

  test("signs AWS's example of a PUT with a special character in the key", () => {
    const headers = { date: "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY" };
    const payloadHash = sha256Hex("Welcome to Amazon S3.");
    expect(signatureOf({ ...BASE, method: "PUT", path: "/test$file.text", headers, payloadHash })).toBe(
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
  });

  test("signs AWS's examples of sub-resources and listings", () => {
    expect(signatureOf({ ...BASE, query: { lifecycle: "" } })).toBe(
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
    expect(signatureOf({ ...BASE, query: { "max-keys": "2", prefix: "J" } })).toBe(
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
  });

  test("signs AWS's example of a link", () => {
    expect(presignUrl(SIGNER, { ...BASE, path: "/test.txt" }, 86_400)).toMatch(
      /&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404$/,
    );
  });

  test("signs AWS's example of a body in chunks", () => {
    const payloadHash = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    const headers = {
      "x-amz-storage-class": "REDUCED_REDUNDANCY",
      "content-encoding": "aws-chunked",
      "x-amz-decoded-content-length": "66560",
      "content-length": "66824",
    };
    const { chunks } = signRequest(SIGNER, {
      ...BASE,
      method: "PUT",
      host: "s3.amazonaws.com",
      path: "/examplebucket/chunkObject.txt",
      headers,
      payloadHash,
    });
    expect(chunks.seed).toBe("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    const body = encodeAwsChunked(Buffer.alloc(66_560, "a"), { payloadHash, chunkSize: 65_536, chunks });
    expect(body.length).toBe(66_824);
    expect([...body.toString("latin1").matchAll(/chunk-signature=([0-9a-f]+)/g)].map(([, value]) => value)).toEqual([
      "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
      "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
      "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]);
  });

  test("reads and writes timestamps", () => {
    expect(formatTimestamp(TIME)).toBe("20130524T000000Z");
    expect(parseTimestamp("20130524T000000Z")).toBe(TIME);
    expect(parseTimestamp("Fri, 24 May 2013 00:00:00 GMT")).toBeUndefined();
  });
});
