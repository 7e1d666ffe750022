import { expect, test } from "vitest";
import { createSigner, sha256Hex } from "./signature.ts";

/** The examples of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. */
const IDENTITY = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
const HOST = { host: "examplebucket.s3.amazonaws.com", "x-amz-content-sha256": sha256Hex("") };
const PLACE = { region: "us-east-1", identity: IDENTITY, at: new Date("2013-05-24T00:00:00Z") };

function signatureOf(headers: Record<string, string>): string | undefined {
  return /Signature=([0-9a-f]{64})$/.exec(headers["authorization"] ?? "")?.[1];
}

test("requests are signed as Amazon's own examples are", () => {
  const sign = createSigner();
  const object = { method: "GET", path: "/test.txt", query: {}, headers: { ...HOST, range: "bytes=0-9" } };
  expect(signatureOf(sign(object, PLACE))).toBe("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  const list = { method: "GET", path: "/", query: { prefix: "J", "max-keys": "2" }, headers: HOST };
  expect(signatureOf(sign(list, PLACE))).toBe("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
  const word = { method: "GET", path: "/", query: { lifecycle: "" }, headers: HOST };
  expect(signatureOf(sign(word, PLACE))).toBe("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
});

test("the key of the day is kept for this day, region and secret only", () => {
  const sign = createSigner();
  const request = { method: "GET", path: "/", query: {}, headers: HOST };
  const others = [
    { ...PLACE, at: new Date("2013-05-25T00:00:00Z") },
    { ...PLACE, region: "eu-central-1" },
    { ...PLACE, identity: { ...IDENTITY, secretAccessKey: "another" } },
  ];
  for (const place of [PLACE, ...others, PLACE])
    expect(signatureOf(sign(request, place))).toBe(signatureOf(createSigner()(request, place)));
});

test("a session token is signed", () => {
  const signed = createSigner()(
    { method: "GET", path: "/", query: {}, headers: HOST },
    { ...PLACE, identity: { ...IDENTITY, sessionToken: "the-token" } },
  );
  expect(signed).toMatchObject({ "x-amz-security-token": "the-token" });
  expect(signed["authorization"]).toContain("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,");
});
