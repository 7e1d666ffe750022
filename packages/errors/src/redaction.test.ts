import fc from "fast-check";
import { expect, test } from "vitest";
import { HIDDEN, redactSecrets, registerSecret } from "./redaction.ts";

test.each([
  ["key AKIAIOSFODNN7EXAMPLE refused", `key ${HIDDEN} refused`],
  ["https://user:pa55@host/x", `https://user:${HIDDEN}@host/x`],
  ["GET /k?X-Amz-Signature=abc123&x=1", `GET /k?X-Amz-Signature=${HIDDEN}&x=1`],
  ['AWS_SECRET_ACCESS_KEY="wJalr/x"', `AWS_SECRET_ACCESS_KEY=${HIDDEN}`],
  ["host=db password=geheim user=x", `host=db password=${HIDDEN} user=x`],
  ["https://hooks.slack.com/services/T0/B0/xyz", `https://hooks.slack.com/services/${HIDDEN}`],
])("hides the shape of a secret in %j", (text, expected) => {
  expect(redactSecrets(text)).toBe(expected);
});

test("leaves ordinary text alone", () => {
  const text = "unable to archive '000000010000000000000001': s3://bucket/prefix holds other content";
  expect(redactSecrets(text)).toBe(text);
});

test("hides a registered secret wherever it stands, also URL-encoded and inside a longer one", () => {
  registerSecret("s3cret/+value");
  registerSecret("s3cret/+value-and-more");
  expect(redactSecrets("a s3cret/+value b s3cret%2F%2Bvalue c s3cret/+value-and-more")).toBe(
    `a ${HIDDEN} b ${HIDDEN} c ${HIDDEN}`,
  );
});

test("hides any registered secret in any text", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 12, maxLength: 40 }), fc.string(), fc.string(), (secret, before, after) => {
      registerSecret(secret);
      expect(redactSecrets(before + secret + after)).not.toContain(secret);
    }),
    { numRuns: 200 },
  );
});

test("does not turn short values into holes in every sentence", () => {
  registerSecret("a");
  registerSecret(undefined);
  expect(redactSecrets("a cat")).toBe("a cat");
});

test("the time for a long text grows with its length, not with its square", () => {
  const word = "x".repeat(300_000);
  expect(redactSecrets(`${word} ${word}://me:hidden-one@host`)).toBe(`${word} ${word}://me:${HIDDEN}@host`);
}, 10_000);
