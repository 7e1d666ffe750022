import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { digestBody, judgeEtag, multipartEtag } from "./stored-digest.ts";

const MD5 = "900150983cd24fb0d6963f7d28e17f72";
const OTHER = "00000000000000000000000000000000";

test("computes MD5 both ways", () => {
  expect(digestBody(Buffer.from("abc"))).toEqual({ hex: MD5, base64: "kAFQmDzST7DWlj99KOF/cg==" });
});

test("computes the mark of an upload in parts as S3 does", () => {
  const parts = [digestBody(Buffer.from("a")).hex, digestBody(Buffer.from("b")).hex];
  const expected = createHash("md5")
    .update(Buffer.concat(parts.map((hex) => Buffer.from(hex, "hex"))))
    .digest("hex");
  expect(multipartEtag(parts)).toBe(`${expected}-2`);
});

test.each([
  [MD5, undefined, true, "same"],
  [MD5, undefined, false, "same"],
  [OTHER, undefined, true, "other"],
  [OTHER, "AES256", true, "other"],
  [OTHER, undefined, false, "unknown"],
  [OTHER, "aws:kms", true, "unknown"],
  [OTHER, "SSE-C", true, "unknown"],
  [`${OTHER}-2`, undefined, true, "unknown"],
  [undefined, undefined, true, "unknown"],
] as const)("judges the mark %s (encryption %s, marks are MD5s: %s) as %s", (etag, encryption, md5Etags, verdict) => {
  expect(judgeEtag({ etag, encryption, answeredAt: undefined }, MD5, { md5Etags })).toBe(verdict);
});
