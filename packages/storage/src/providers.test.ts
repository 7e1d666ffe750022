import { expect, test } from "vitest";
import { awsEndpoint, providerOfHost, PROVIDERS, regionFor } from "./providers.ts";

test.each([
  ["s3.eu-central-1.amazonaws.com", "aws", "eu-central-1"],
  ["s3-us-west-2.amazonaws.com", "aws", "us-west-2"],
  ["s3.dualstack.eu-west-1.amazonaws.com", "aws", "eu-west-1"],
  ["s3.amazonaws.com", "aws", "us-east-1"],
  ["s3.cn-north-1.amazonaws.com.cn", "aws", "cn-north-1"],
  ["s3.us-west-004.backblazeb2.com", "b2", "us-west-004"],
  ["s3.eu-central-1.wasabisys.com", "wasabi", "eu-central-1"],
  ["s3.wasabisys.com", "wasabi", "us-east-1"],
  ["fra1.digitaloceanspaces.com", "spaces", "us-east-1"],
  ["0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com", "r2", "auto"],
  ["0123456789abcdef0123456789abcdef.eu.r2.cloudflarestorage.com", "r2", "auto"],
  ["s3.fr-par.scw.cloud", "scaleway", "fr-par"],
  ["minio.internal", "other", "us-east-1"],
  ["s3.eu-central-1.amazonaws.com.evil.example", "other", "us-east-1"],
  ["127.0.0.1", "other", "us-east-1"],
])("recognises %s as %s in %s", (host, name, region) => {
  const provider = providerOfHost(host);
  expect(provider.name).toBe(name);
  expect(regionFor(provider, host, undefined)).toBe(region);
  expect(regionFor(provider, host, "stated")).toBe("stated");
});

test("every row is called by its name and has limits that make sense", () => {
  for (const [name, provider] of Object.entries(PROVIDERS)) {
    expect(provider.name).toBe(name);
    expect(provider.maxPartSize).toBeGreaterThan(provider.minPartSize);
    expect(provider.retryAdvice).toMatch(/\.$/);
    expect(provider.deleteBatch).toBeLessThanOrEqual(1000);
  }
});

test("says what docs/providers.md says", () => {
  expect(PROVIDERS.scaleway.maxParts).toBe(1000);
  expect(PROVIDERS.aws.maxParts).toBe(10_000);
  expect(PROVIDERS.r2.equalParts).toBe(true);
  expect(PROVIDERS.b2.conditionalPut).toBe("refused");
  expect(PROVIDERS.wasabi.minimumStorageDays).toBe(90);
  expect(PROVIDERS.other.conditionalPut).toBe("unknown");
});

test("names Amazon's endpoint of a region", () => {
  expect(awsEndpoint("eu-west-3")).toBe("https://s3.eu-west-3.amazonaws.com");
  expect(awsEndpoint("cn-north-1")).toBe("https://s3.cn-north-1.amazonaws.com.cn");
});
