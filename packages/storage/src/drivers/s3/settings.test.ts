import { expect, test } from "vitest";
import type { StoreConfig } from "../../store-config.ts";
import { isLoopback, resolveS3Settings } from "./settings.ts";

const resolve = (config: Partial<StoreConfig>, bucket = "bucket") =>
  resolveS3Settings({ url: `s3://${bucket}`, ...config }, bucket);

test("an endpoint that is not set never becomes Amazon by itself", () => {
  expect(() => resolve({})).toThrow("unable to open 's3://bucket': no endpoint is set");
  expect(() => resolve({ endpoint: "" })).toThrow("no endpoint is set");
  expect(() => resolve({ region: "eu-west-1", provider: "b2" })).toThrow("no endpoint is set");
});

test("an endpoint that is not set is Amazon's own when that is said", () => {
  expect(resolve({ provider: "aws" })).toMatchObject({
    endpoint: "https://s3.us-east-1.amazonaws.com",
    region: "us-east-1",
    pathStyle: false,
  });
  expect(resolve({ provider: "aws", region: "eu-west-1" })).toMatchObject({
    endpoint: "https://s3.eu-west-1.amazonaws.com",
    region: "eu-west-1",
  });
});

test.each([
  ["https://s3.us-west-004.backblazeb2.com", "b2", "us-west-004", true],
  ["https://s3.eu-central-1.amazonaws.com", "aws", "eu-central-1", false],
  ["https://fra1.digitaloceanspaces.com/", "spaces", "us-east-1", false],
  ["https://minio.internal:9000", "other", "us-east-1", true],
  ["http://127.0.0.1:9000", "other", "us-east-1", true],
  ["https://gateway.example/s3/", "other", "us-east-1", true],
])("decides about %s by its host", (endpoint, name, region, pathStyle) => {
  const settings = resolve({ endpoint });
  expect(settings).toMatchObject({ endpoint: endpoint.replace(/\/$/, ""), region, pathStyle });
  expect(settings.provider.name).toBe(name);
});

test("a bucket with a dot, or an endpoint that is an address, is named in the path", () => {
  expect(resolve({ provider: "aws" }, "my.bucket").pathStyle).toBe(true);
  expect(resolve({ provider: "aws", endpoint: "http://127.0.0.1:1" }).pathStyle).toBe(true);
  expect(resolve({ provider: "aws", endpoint: "http://[::1]:1" }).pathStyle).toBe(true);
  expect(resolve({ endpoint: "https://minio.internal", pathStyle: false }).pathStyle).toBe(false);
});

test.each([
  ["s3.example.com", "it is not an http or https URL", ""],
  ["ftp://s3.example.com", "it is not an http or https URL", ""],
  ["https://key:secret@s3.example.com", "it holds more than scheme, host, port and path", ""],
  ["https://s3.example.com?x=1", "it holds more than scheme, host, port and path", ""],
  ["http://s3.example.com", "it has no TLS", "(the setting 'allowHttp')"],
  ["http://10.0.0.5:9000", "it has no TLS", "(the setting 'allowHttp')"],
  [
    "https://bucket.fra1.digitaloceanspaces.com",
    "it holds the bucket 'bucket' already",
    "'https://fra1.digitaloceanspaces.com'",
  ],
  ["https://s3.example.com/bucket", "it holds the bucket 'bucket' already", "'https://s3.example.com'"],
])("refuses the endpoint %s", (endpoint, fact, hint) => {
  try {
    resolve({ endpoint });
    expect.fail("it was taken");
  } catch (error) {
    expect(error).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(fact),
      hint: expect.stringContaining(hint),
    });
    expect(String(error)).not.toContain("secret");
  }
});

test("a setting is called by the name that the caller gives it", () => {
  const settingNames = { allowHttp: "ALLOW_HTTP", endpoint: "ENDPOINT" };
  expect(() => resolve({ endpoint: "http://10.0.0.5:9000", settingNames })).toThrow(
    expect.objectContaining({ hint: expect.stringContaining("(ALLOW_HTTP)") as string }),
  );
  expect(() => resolve({ settingNames })).toThrow(
    expect.objectContaining({ hint: expect.stringContaining("(ENDPOINT)") as string }),
  );
});

test("http is taken where it is allowed or never leaves this machine", () => {
  expect(resolve({ endpoint: "http://minio.internal:9000", allowHttp: true }).endpoint).toBe(
    "http://minio.internal:9000",
  );
  for (const host of ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "s3.localhost"])
    expect(isLoopback(host), host).toBe(true);
  for (const host of ["localhost.example", "128.0.0.1", "10.0.0.1", "1270.0.0.1", "[::2]"])
    expect(isLoopback(host), host).toBe(false);
});

test("every limit of time has a default", () => {
  expect(resolve({ provider: "aws" })).toMatchObject({
    connectTimeoutMs: 10_000,
    idleTimeoutMs: 30_000,
    requestTimeoutMs: 300_000,
  });
});
