import fc from "fast-check";
import { expect, test } from "vitest";
import { formatStoreUrl, parseStoreUrl, type StoreUrl } from "./store-url.ts";

test.each<[string, StoreUrl]>([
  ["s3://soar-backup-prod", { kind: "s3", bucket: "soar-backup-prod", prefix: "" }],
  ["s3://soar-backup-prod/", { kind: "s3", bucket: "soar-backup-prod", prefix: "" }],
  ["s3://b.c-d/cluster1/main/", { kind: "s3", bucket: "b.c-d", prefix: "cluster1/main" }],
  ["s3://bucket/what?#100%", { kind: "s3", bucket: "bucket", prefix: "what?#100%" }],
  ["file:///var/backups/cluster1/", { kind: "file", directory: "/var/backups/cluster1" }],
  ["file:///with%20space", { kind: "file", directory: "/with space" }],
  ["file:///", { kind: "file", directory: "/" }],
  ["memory:test", { kind: "memory", name: "test" }],
])("reads %s", (text, expected) => {
  expect(parseStoreUrl(text)).toEqual(expected);
});

test.each([
  ["/var/backups", "it has no scheme", "file:///var/backups"],
  ["https://s3.example.com/bucket", "it is the address of an endpoint", "s3://bucket/prefix"],
  ["bucket", "it has no known scheme", "s3://bucket/prefix"],
  ["gs://bucket", "it has no known scheme", "s3://bucket/prefix"],
  ["s3://", "'' is no name of a bucket", ""],
  ["s3://a", "'a' is no name of a bucket", ""],
  ["s3://bucket/../other", "its prefix has an empty segment, '.' or '..'", ""],
  ["s3://bucket/a//b", "its prefix has an empty segment", ""],
  ["file://var/backups", "it does not name an absolute path", "three slashes"],
  ["file:///a%zz", "it is not a URL of a file", "%25"],
  ["file:///a?b", "it has a '?' or '#'", "%3F"],
])("refuses %s", (text, fact, hint) => {
  try {
    parseStoreUrl(text);
    expect.fail("it was taken");
  } catch (error) {
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(fact),
      hint: expect.stringContaining(hint),
    });
  }
});

test("never repeats credentials that were put into a URL", () => {
  expect(() => parseStoreUrl("s3://KEYID:the-secret@bucket/x")).toThrow(
    /^unable to use the store 's3:\/\/…': it holds credentials$/,
  );
});

test("reads back whatever it writes", () => {
  const segment = fc
    .stringMatching(/^[^/\p{Cc}]{1,20}$/u)
    .filter((text) => text !== "." && text !== ".." && text.isWellFormed());
  const path = fc.array(segment, { maxLength: 4 }).map((segments) => segments.join("/"));
  const bucket = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{1,20}[a-z0-9]$/);
  const url = fc.oneof(
    fc.record({ kind: fc.constant("s3" as const), bucket, prefix: path }),
    fc.record({ kind: fc.constant("file" as const), directory: path.map((text) => `/${text}`) }),
    fc.record({ kind: fc.constant("memory" as const), name: fc.string() }),
  );
  fc.assert(
    fc.property(url, (value) => {
      expect(parseStoreUrl(formatStoreUrl(value))).toEqual(value);
    }),
  );
});
