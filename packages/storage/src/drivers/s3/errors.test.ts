import { describe, expect, test } from "vitest";
import { PROVIDERS } from "../../providers.ts";
import { settingNamer } from "../../setting-names.ts";
import { classifyS3Failure } from "./errors.ts";
import type { S3FailureContext } from "./failure-meaning.ts";
import { failureOfSdk } from "./sdk-values.ts";
import { S3Failure } from "./wire.ts";

const CONTEXT: S3FailureContext = {
  settings: {
    bucket: "bucket",
    endpoint: "https://s3.example.com",
    region: "eu-central-1",
    provider: PROVIDERS.other,
    nameOf: settingNamer(),
  },
  action: "read 's3://bucket/key'",
  key: "key",
};

describe("an error without an answer", () => {
  test.each([
    ["ENOTFOUND", "STORE_UNREACHABLE", true, "the host of https://s3.example.com is not found"],
    ["EAI_AGAIN", "STORE_UNREACHABLE", true, "the host of https://s3.example.com is not found"],
    ["ECONNREFUSED", "STORE_UNREACHABLE", true, "nothing listens at https://s3.example.com"],
    ["EHOSTUNREACH", "STORE_UNREACHABLE", true, "there is no route"],
    ["ETIMEDOUT", "STORE_UNREACHABLE", true, "does not answer"],
    ["CONNECT_TIMEOUT", "STORE_UNREACHABLE", true, "does not answer"],
    ["ECONNRESET", "STORE_UNREACHABLE", true, "broke (ECONNRESET)"],
    ["EPIPE", "STORE_UNREACHABLE", true, "broke (EPIPE)"],
    ["CERT_HAS_EXPIRED", "STORE_UNREACHABLE", false, "its certificate has expired"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "STORE_UNREACHABLE", false, "its certificate is for another host"],
    ["EPROTO", "STORE_UNREACHABLE", false, "does not speak TLS"],
    ["HPE_INVALID_CONSTANT", "STORE_UNREACHABLE", false, "does not speak HTTP"],
    ["CredentialsProviderError", "STORE_DENIED", false, "no credentials were found"],
    ["SomethingElse", "STORE_PROTOCOL", false, "cannot be used (SomethingElse"],
  ] as const)("%s is %s (retryable: %s)", (code, expected, retryable, fact) => {
    const error = classifyS3Failure(new S3Failure("the message", { code }), CONTEXT);
    expect(error).toMatchObject({
      code: expected,
      retryable,
      message: expect.stringMatching(/^unable to read 's3:\/\/bucket\/key': [^A-Z]*/),
    });
    expect(String(error)).toContain(fact);
  });
});

describe("an answer", () => {
  test.each([
    [403, "AccessDenied", "STORE_DENIED"],
    [403, "ExpiredToken", "STORE_DENIED"],
    [401, "Unauthorized", "STORE_DENIED"],
    [403, "SomethingForbidden", "STORE_DENIED"],
    [400, "KMS.DisabledException", "STORE_DENIED"],
    [404, "NoSuchKey", "OBJECT_MISSING"],
    [404, "NotFound", "OBJECT_MISSING"],
    [404, "NoSuchBucket", "BUCKET_MISSING"],
    [403, "InvalidObjectState", "OBJECT_ARCHIVED"],
    [412, "PreconditionFailed", "OBJECT_EXISTS"],
    [412, "Whatever", "OBJECT_EXISTS"],
    [403, "RequestTimeTooSkewed", "CLOCK_SKEWED"],
    [403, "QuotaExceeded", "STORE_QUOTA"],
    [301, "PermanentRedirect", "CONFIG_INVALID"],
    [501, "Whatever", "STORE_UNSUPPORTED"],
    [500, "NotImplemented", "STORE_UNSUPPORTED"],
    [503, "MethodNotAllowed", "STORE_UNSUPPORTED"],
    [400, "XMinioParentIsObject", "STORE_UNSUPPORTED"],
    [409, "XMinioObjectExistsAsDirectory", "STORE_UNSUPPORTED"],
    [405, "MethodNotAllowed", "STORE_UNSUPPORTED"],
    [408, "Whatever", "STORE_UNREACHABLE"],
    [429, "Whatever", "STORE_BUSY"],
    [599, "Whatever", "STORE_BUSY"],
    [418, "Teapot", "STORE_PROTOCOL"],
    [200, "SyntaxError", "STORE_PROTOCOL"],
  ] as const)("%i %s is %s", (status, code, expected) => {
    expect(classifyS3Failure(new S3Failure("the message", { status, code }), CONTEXT)).toMatchObject({
      code: expected,
    });
  });

  test("keeps the provider's request id, which its support asks for", () => {
    const error = classifyS3Failure(
      new S3Failure("the message", { status: 503, code: "SlowDown", requestId: "ABC123" }),
      CONTEXT,
    );
    expect(String(error)).toContain("503 SlowDown, request ABC123");
  });
});

test("what is no failure of a request is handed on: a bug", () => {
  const bug = new TypeError("x is not a function");
  expect(failureOfSdk(bug)).toBe(bug);
  expect(classifyS3Failure(bug, CONTEXT)).toBe(bug);
});
