import { createHash } from "node:crypto";
import type { StoreConfig } from "@soar/storage";
import { readBucketSettings } from "@soar/storage/bucket-settings";
import { createS3TestClient, startS3Server, type S3TestServer } from "@soar-tooling/s3-server";
import { expect, test } from "vitest";
import { expectRejection } from "./expect-rejection.ts";

const configOf = (server: S3TestServer, more: Partial<StoreConfig> = {}): StoreConfig => ({
  url: `s3://${server.bucket}/cluster1`,
  endpoint: server.endpoint,
  region: server.region,
  credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
  ...more,
});

async function putLifecycle(server: S3TestServer, rules: string): Promise<void> {
  const client = createS3TestClient({ ...server, bucket: server.bucket });
  const body = `<LifecycleConfiguration>${rules}</LifecycleConfiguration>`;
  const { status, text } = await client.send({
    method: "PUT",
    query: { lifecycle: "" },
    body,
    headers: { "content-md5": createHash("md5").update(body).digest("base64") },
  });
  client.close();
  expect(status, text).toBe(200);
}

test("a bucket with nothing set says so", async () => {
  const server = await startS3Server({ bucket: ["soar-test", "another"] });
  const settings = await readBucketSettings(configOf(server));
  expect(settings).toMatchObject({
    versioning: { value: "off" },
    lifecycle: { value: [] },
    objectLock: { value: undefined },
    visibleBuckets: { value: ["soar-test", "another"] },
  });
  expect(settings.objectLock.error).toBeUndefined();
  expect(Math.abs(settings.clockAheadMs.value ?? Number.NaN)).toBeLessThan(5_000);
  await server.close();
});

test("keys that lapse are renewed for these questions, too", async () => {
  const server = await startS3Server();
  const given = [{ accessKeyId: "LAPSED", secretAccessKey: "secret" }];
  const settings = await readBucketSettings(configOf(server, { credentials: async () => given.shift() ?? server }));
  expect(settings.versioning).toEqual({ value: "off" });
  expect(settings.clockAheadMs.error).toBeUndefined();
  await server.close();
});

test("versions, locks and rules are read as they are set", async () => {
  const server = await startS3Server({ bucket: { name: "soar-test", objectLock: { mode: "COMPLIANCE", days: 35 } } });
  await putLifecycle(
    server,
    "<Rule><ID>old</ID><Filter><Prefix>cluster1/wal/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>" +
      "<Rule><ID>tidy</ID><Filter><Prefix></Prefix></Filter><Status>Disabled</Status><NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>" +
      "<Rule><ID>tagged</ID><Filter><And><Prefix>base/</Prefix><Tag><Key>a</Key><Value>b</Value></Tag></And></Filter><Status>Enabled</Status><Transition><Days>14</Days><StorageClass>GLACIER_IR</StorageClass></Transition></Rule>",
  );
  const { versioning, objectLock, lifecycle } = await readBucketSettings(configOf(server));
  expect(versioning.value).toBe("on");
  expect(objectLock.value).toEqual({ defaultRetention: "35 days, compliance" });
  expect(lifecycle.value).toMatchObject([
    {
      id: "old",
      isEnabled: true,
      prefix: "cluster1/wal/",
      isNarrower: false,
      expiresAfterDays: 30,
      removesNoncurrentAfterDays: undefined,
    },
    {
      id: "tidy",
      isEnabled: false,
      prefix: "",
      expiresAfterDays: undefined,
      removesNoncurrentAfterDays: 7,
      abortsUploadsAfterDays: 2,
    },
    { id: "tagged", prefix: "base/", isNarrower: true, transitions: [{ afterDays: 14, storageClass: "GLACIER_IR" }] },
  ]);
  await server.close();
});

test("a question that is refused, or that the provider does not know, leaves the others", async () => {
  const owner = { accessKeyId: "LIMITED", secretAccessKey: "limited-secret" };
  const denying = await startS3Server({
    credentials: { ...owner, deny: ["s3:GetBucketVersioning", "s3:ListAllMyBuckets"] },
  });
  const limited = await readBucketSettings(configOf(denying, { credentials: owner }));
  expect(limited.versioning.error).toMatchObject({
    code: "STORE_DENIED",
    message: expect.stringContaining("unable to see whether the bucket keeps versions") as string,
  });
  expect(limited.visibleBuckets.error?.code).toBe("STORE_DENIED");
  expect(limited.lifecycle).toEqual({ value: [] });
  await denying.close();
  const r2 = await startS3Server({ profile: "r2" });
  const unknowing = await readBucketSettings(configOf(r2, { provider: "r2" }));
  expect(unknowing.versioning.error?.code).toBe("STORE_UNSUPPORTED");
  await r2.close();
});

test("what makes every question useless is the failure", async () => {
  const server = await startS3Server();
  await expectRejection(readBucketSettings(configOf(server, { url: "s3://no-such-bucket" })), "BUCKET_MISSING");
  await server.close();
  await expectRejection(readBucketSettings(configOf(server)), "STORE_UNREACHABLE");
  await expectRejection(readBucketSettings({ url: "file:///tmp" }), "STORE_UNSUPPORTED");
});
