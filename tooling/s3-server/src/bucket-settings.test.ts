import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { S3Profile } from "./profiles.ts";
import { openServerForTest, type ServerForTest } from "./s3-server.fixture.ts";
import type { RawS3Response } from "./s3-test-client.ts";
import { parseXml } from "./xml.ts";

const DAY_MS = 24 * 3600_000;

function withMd5(body: string): { body: string; headers: Record<string, string> } {
  return { body, headers: { "content-md5": createHash("md5").update(body).digest("base64") } };
}

function configure({ client }: ServerForTest, name: string, body: string): Promise<RawS3Response> {
  return client.send({ method: "PUT", query: { [name]: "" }, ...withMd5(body) });
}

async function versionsOf({ client }: ServerForTest, query: Record<string, string> = {}): Promise<string[]> {
  const document = parseXml(
    (await client.send({ method: "GET", query: { versions: "", ...query } })).text,
    "ListVersionsResult",
  );
  return document.children
    .filter(({ name }) => name === "Version" || name === "DeleteMarker")
    .map(({ name, children }) =>
      [name, ...["Key", "IsLatest"].map((wanted) => children.find((child) => child.name === wanted)?.text)].join(" "),
    );
}

describe("buckets", () => {
  test("are created, found, located and removed", async () => {
    await using open = await openServerForTest({ region: "eu-west-1" });
    const { client } = open;
    const send = (method: string, query: Record<string, string> = {}) =>
      client.send({ method, bucket: "another", query });
    expect((await send("HEAD")).status).toBe(404);
    expect((await client.send({ method: "PUT", bucket: "another", body: "" })).status).toBe(200);
    expect(await send("HEAD")).toMatchObject({ status: 200, headers: { "x-amz-bucket-region": "eu-west-1" } });
    expect((await send("GET", { location: "" })).text).toContain(">eu-west-1</LocationConstraint>");
    expect((await client.send({ method: "PUT", bucket: "another", body: "" })).errorCode).toBe(
      "BucketAlreadyOwnedByYou",
    );
    expect((await client.send({ method: "PUT", bucket: "Not A Bucket", body: "" })).errorCode).toBe(
      "InvalidBucketName",
    );
    await client.send({ method: "PUT", bucket: "another", key: "k", body: "x" });
    expect((await send("DELETE")).errorCode).toBe("BucketNotEmpty");
    await client.send({ method: "DELETE", bucket: "another", key: "k" });
    expect((await send("DELETE")).status).toBe(204);
    expect((await client.send({ method: "GET", bucket: "" })).text).toContain("<Name>soar-test</Name>");
  });

  test("refuse what this server does not know", async () => {
    await using open = await openServerForTest();
    expect(await open.client.send({ method: "GET", query: { acl: "" } })).toMatchObject({
      status: 501,
      errorCode: "NotImplemented",
    });
    expect((await open.client.send({ method: "GET", query: {} })).errorCode).toBe("NotImplemented");
    expect((await open.client.send({ method: "POST", key: "k" })).errorCode).toBe("MethodNotAllowed");
  });
});

describe("versioning", () => {
  test("keeps what is overwritten and hides what is deleted", async () => {
    await using open = await openServerForTest();
    const { client } = open;
    await client.send({ method: "PUT", key: "k", body: "before" });
    expect(
      (
        await configure(
          open,
          "versioning",
          "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        )
      ).status,
    ).toBe(200);
    const { headers } = await client.send({ method: "PUT", key: "k", body: "second" });
    expect(await client.send({ method: "DELETE", key: "k" })).toMatchObject({
      status: 204,
      headers: { "x-amz-delete-marker": "true" },
    });
    expect(await client.send({ method: "GET", key: "k" })).toMatchObject({
      status: 404,
      headers: { "x-amz-delete-marker": "true" },
    });
    const query = { versionId: headers["x-amz-version-id"] ?? "" };
    expect((await client.send({ method: "GET", key: "k", query })).text).toBe("second");
    expect((await client.send({ method: "GET", key: "k", query: { versionId: "null" } })).text).toBe("before");
    expect((await client.send({ method: "GET", key: "k", query: { versionId: "none" } })).errorCode).toBe(
      "NoSuchVersion",
    );
    expect(await versionsOf(open)).toEqual(["DeleteMarker k true", "Version k false", "Version k false"]);
    await client.send({ method: "DELETE", key: "k", query });
    expect(await versionsOf(open)).toEqual(["DeleteMarker k true", "Version k false"]);
  });

  test("lists versions page by page", async () => {
    await using open = await openServerForTest({ bucket: { name: "versioned", versioning: true } });
    for (const key of ["a", "b", "a"]) await open.client.send({ method: "PUT", key, body: key });
    const first = await open.client.send({ method: "GET", query: { versions: "", "max-keys": "1" } });
    const document = parseXml(first.text, "ListVersionsResult");
    const marker = (name: string): string => document.children.find((child) => child.name === name)?.text ?? "";
    const next = { "key-marker": marker("NextKeyMarker"), "version-id-marker": marker("NextVersionIdMarker") };
    expect(await versionsOf(open, next)).toEqual(["Version a false", "Version b true"]);
    expect(await versionsOf(open, { "key-marker": "a" })).toEqual(["Version b true"]);
  });

  test.each([
    ["b2", "<Status>Enabled</Status>", "InvalidBucketState"],
    ["r2", "NotImplemented", "NotImplemented"],
    ["aws", "<VersioningConfiguration", undefined],
  ] as const satisfies readonly (readonly [S3Profile, string, string | undefined])[])(
    "is what %s makes of it",
    async (profile, state, refusal) => {
      await using open = await openServerForTest({ profile });
      expect((await open.client.send({ method: "GET", query: { versioning: "" } })).text).toContain(state);
      expect(
        (
          await configure(
            open,
            "versioning",
            "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
          )
        ).errorCode,
      ).toBe(refusal);
    },
  );
});

describe("lifecycle", () => {
  const rule = (inner: string): string =>
    `<LifecycleConfiguration><Rule><ID>r</ID>${inner}</Rule></LifecycleConfiguration>`;

  test("is kept as it was given", async () => {
    await using open = await openServerForTest();
    const body = rule(
      "<Filter><Prefix>tail/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>45</Days></Expiration>",
    );
    expect((await open.client.send({ method: "GET", query: { lifecycle: "" } })).errorCode).toBe(
      "NoSuchLifecycleConfiguration",
    );
    expect((await open.client.send({ method: "PUT", query: { lifecycle: "" }, body })).errorCode).toBe(
      "InvalidRequest",
    );
    expect((await configure(open, "lifecycle", body)).status).toBe(200);
    expect((await open.client.send({ method: "GET", query: { lifecycle: "" } })).text).toContain(
      body.replaceAll(/<\/?LifecycleConfiguration>/g, ""),
    );
    expect((await open.client.send({ method: "DELETE", query: { lifecycle: "" } })).status).toBe(204);
  });

  test.each([
    ["no status", "<Filter/><Expiration><Days>1</Days></Expiration>", "MalformedXML"],
    ["no filter", "<Status>Enabled</Status><Expiration><Days>1</Days></Expiration>", "MalformedXML"],
    ["no action", "<Filter/><Status>Enabled</Status>", "InvalidRequest"],
    ["no day", "<Filter/><Status>Enabled</Status><Expiration><Days>0</Days></Expiration>", "InvalidArgument"],
    [
      "an unknown class",
      "<Filter/><Status>Enabled</Status><Transition><Days>1</Days><StorageClass>ICE</StorageClass></Transition>",
      "MalformedXML",
    ],
    [
      "markers and days in one",
      "<Filter/><Status>Enabled</Status><Expiration><Days>1</Days><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
      "MalformedXML",
    ],
  ])("is refused with %s", async (_, inner, errorCode) => {
    await using open = await openServerForTest();
    expect((await configure(open, "lifecycle", rule(inner))).errorCode).toBe(errorCode);
  });
});

describe("object lock", () => {
  const LOCKED = { bucket: { name: "locked", objectLock: { mode: "COMPLIANCE", days: 30 } } } as const;

  test("demands a digest on every write", async () => {
    await using open = await openServerForTest(LOCKED);
    expect(await open.client.send({ method: "PUT", key: "k", body: "x" })).toMatchObject({
      status: 400,
      errorCode: "InvalidRequest",
      errorMessage:
        "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters",
    });
    const { headers } = withMd5("x");
    expect((await open.client.send({ method: "PUT", key: "k", body: "x", headers })).status).toBe(200);
    const sha256 = createHash("sha256").update("x").digest("base64");
    expect(
      (await open.client.send({ method: "PUT", key: "k", body: "x", headers: { "x-amz-checksum-sha256": sha256 } }))
        .status,
    ).toBe(200);
    const { text } = await open.client.send({ method: "POST", key: "m", query: { uploads: "" } });
    const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(text)?.[1] ?? "";
    const part = { method: "PUT", key: "m", query: { uploadId, partNumber: "1" }, body: "x" };
    expect((await open.client.send(part)).errorMessage).toContain("Put Part");
    expect((await open.client.send({ ...part, headers })).status).toBe(200);
  });

  test("refuses to remove a version before its time, but hides the key", async () => {
    await using open = await openServerForTest(LOCKED);
    const { client, server } = open;
    const written = await client.send({ method: "PUT", key: "k", ...withMd5("x") });
    const query = { versionId: written.headers["x-amz-version-id"] ?? "" };
    expect((await client.send({ method: "DELETE", key: "k" })).status).toBe(204);
    expect(await client.send({ method: "DELETE", key: "k", query })).toMatchObject({
      status: 403,
      errorCode: "AccessDenied",
      errorMessage: expect.stringContaining("object lock"),
    });
    server.change({ clockOffsetMs: 31 * DAY_MS });
    expect((await client.send({ method: "DELETE", key: "k", query, time: Date.now() + 31 * DAY_MS })).status).toBe(204);
  });

  test("knows retention, its bypass and legal holds of single objects", async () => {
    await using open = await openServerForTest({ bucket: { name: "locked", objectLock: true } });
    const { client } = open;
    const written = await client.send({ method: "PUT", key: "k", body: "x" });
    const versionId = written.headers["x-amz-version-id"] ?? "";
    const remove = (headers: Record<string, string> = {}) =>
      client.send({ method: "DELETE", key: "k", query: { versionId }, headers });
    const retention = (days: number) =>
      `<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>${new Date(Date.now() + days * DAY_MS).toISOString()}</RetainUntilDate></Retention>`;
    const set = (name: string, body: string) =>
      client.send({ method: "PUT", key: "k", query: { [name]: "" }, ...withMd5(body) });
    expect((await client.send({ method: "GET", key: "k", query: { retention: "" } })).errorCode).toBe(
      "NoSuchObjectLockConfiguration",
    );
    expect((await set("retention", retention(5))).status).toBe(200);
    expect((await set("retention", retention(4))).errorCode).toBe("AccessDenied");
    expect((await client.send({ method: "GET", key: "k", query: { retention: "" } })).text).toContain("GOVERNANCE");
    expect((await client.send({ method: "HEAD", key: "k" })).headers["x-amz-object-lock-mode"]).toBe("GOVERNANCE");
    expect((await remove()).status).toBe(403);
    expect((await set("legal-hold", "<LegalHold><Status>ON</Status></LegalHold>")).status).toBe(200);
    expect((await remove({ "x-amz-bypass-governance-retention": "true" })).status).toBe(403);
    await set("legal-hold", "<LegalHold><Status>OFF</Status></LegalHold>");
    expect((await client.send({ method: "GET", key: "k", query: { "legal-hold": "" } })).text).toContain("OFF");
    expect((await remove({ "x-amz-bypass-governance-retention": "true" })).status).toBe(204);
  });

  test("is configured on a versioned bucket, where the provider has it", async () => {
    await using open = await openServerForTest({ bucket: { name: "versioned", versioning: true } });
    const body =
      "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>7</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
    expect((await open.client.send({ method: "GET", query: { "object-lock": "" } })).errorCode).toBe(
      "ObjectLockConfigurationNotFoundError",
    );
    expect((await configure(open, "object-lock", body)).status).toBe(200);
    expect((await open.client.send({ method: "GET", query: { "object-lock": "" } })).text).toContain("<Days>7</Days>");
    await using r2 = await openServerForTest({ profile: "r2" });
    expect((await configure(r2, "object-lock", body)).errorCode).toBe("NotImplemented");
  });
});

describe("permissions", () => {
  test("are refused by action", async () => {
    const owner = { accessKeyId: "owner", secretAccessKey: "o" };
    const writer = {
      accessKeyId: "writer",
      secretAccessKey: "w",
      deny: ["s3:Delete*", "s3:ListBucket", "s3:AbortMultipartUpload"],
    };
    await using open = await openServerForTest({ credentials: [owner, writer] });
    const client = open.clientFor(writer);
    const code = async (method: string, request: { key?: string; query?: Record<string, string> } = {}) => {
      const { status, errorCode } = await client.send({ method, ...request });
      return errorCode ?? status;
    };
    expect((await client.send({ method: "PUT", key: "k", body: "x" })).status).toBe(200);
    expect(await code("GET", { key: "k" })).toBe(200);
    expect(await code("DELETE", { key: "k" })).toBe("AccessDenied");
    expect(await code("GET", { query: { "list-type": "2" } })).toBe("AccessDenied");
    expect(await code("HEAD")).toBe(403);
    // Without the right to list, S3 does not say what is missing.
    expect(await code("GET", { key: "missing" })).toBe("AccessDenied");
    expect(await code("HEAD", { key: "missing" })).toBe(403);
  });

  test("follow a policy as IAM would", async () => {
    const policy = {
      Statement: [
        { Effect: "Allow", Action: ["s3:PutObject", "s3:GetObject"], Resource: "arn:aws:s3:::soar-test/wal/*" },
      ],
    } as const;
    await using open = await openServerForTest({
      credentials: { accessKeyId: "writer", secretAccessKey: "w", policy },
    });
    expect((await open.client.send({ method: "PUT", key: "wal/1", body: "x" })).status).toBe(200);
    expect((await open.client.send({ method: "PUT", key: "base/1", body: "x" })).errorCode).toBe("AccessDenied");
  });
});
