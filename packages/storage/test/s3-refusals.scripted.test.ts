import { createServer } from "node:net";
import { openStore, readObject, type StoreConfig, withRetry } from "@soar/storage";
import { startS3Server } from "@soar-tooling/s3-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keysOf, expectRejection } from "./expect-rejection.ts";
import { configFor, openDriverOn, openS3ForTest, type S3ForTest } from "./s3-fixture.ts";
import { errorReply, openScripted } from "./scripted-server.ts";

let s3: S3ForTest;
beforeAll(async () => {
  s3 = await openS3ForTest("aws", { server: { bucket: ["soar-test", { name: "elsewhere", region: "ap-south-1" }] } });
});
afterAll(() => s3.cleanUp());

/** The failure of reading, writing, looking and listing with a configuration that is wrong in one place. */
async function expectRefusal(code: Parameters<typeof expectRejection>[1], config: Partial<StoreConfig>) {
  const store = openStore({ ...configFor(s3.server), retry: false, ...config });
  await expectRejection(store.put("a", Buffer.from("x"), { ifAbsent: true }), code);
  await expectRejection(store.stat("a"), code);
  await expectRejection(keysOf(store.list("")), code);
  const error = await expectRejection(store.get("a"), code);
  await store.close();
  return error;
}

test("a secret key that is wrong", async () => {
  const error = await expectRefusal("STORE_DENIED", {
    credentials: { accessKeyId: s3.server.accessKeyId, secretAccessKey: "not-the-secret" },
  });
  expect(error.message).toMatch(
    /unable to read 's3:\/\/soar-test\/a': the secret key does not belong to the access key/,
  );
  expect(error.hint).toBe("Check the setting 'secretAccessKey' for missing or additional characters.");
});

test("an access key that is unknown", async () => {
  const error = await expectRefusal("STORE_DENIED", {
    credentials: { accessKeyId: "NOBODY", secretAccessKey: "not-the-secret" },
  });
  expect(error.hint).toContain("Check the setting 'accessKeyId'");
});

test("a setting has the name that the caller's users know it by", async () => {
  const error = await expectRefusal("STORE_DENIED", {
    credentials: { accessKeyId: "NOBODY", secretAccessKey: "not-the-secret" },
    settingNames: { accessKeyId: "AWS_ACCESS_KEY_ID" },
  });
  expect(error.hint).toBe("Check AWS_ACCESS_KEY_ID, and that it belongs to this endpoint.");
});

test("a bucket that does not exist", async () => {
  const error = await expectRefusal("BUCKET_MISSING", { url: "s3://no-such-bucket/prefix" });
  expect(error.hint).toContain("aws s3api create-bucket --bucket no-such-bucket");
});

test("a bucket in another region names the region", async () => {
  const error = await expectRefusal("CONFIG_INVALID", { url: "s3://elsewhere" });
  expect(error.message).toContain("the bucket is in region 'ap-south-1', not 'eu-central-1'");
  expect(error.hint).toContain("(the setting 'region')");
});

test("a region that is wrong for the endpoint names the right one", async () => {
  const error = await expectRefusal("CONFIG_INVALID", { region: "us-west-2" });
  expect(error.message).toContain("'eu-central-1', not 'us-west-2'");
});

test("nothing that listens at the endpoint", async () => {
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
  const error = await expectRefusal("STORE_UNREACHABLE", { endpoint: `http://127.0.0.1:${port}` });
  expect(error.message).toContain(`nothing listens at http://127.0.0.1:${port}`);
  expect(error.retryable).toBe(true);
});

test("a host that does not exist", async () => {
  const error = await expectRefusal("STORE_UNREACHABLE", { endpoint: "https://s3.host.invalid" });
  expect(error.message).toContain("the host of https://s3.host.invalid is not found");
});

test("a clock that is wrong, which the next attempt corrects", async () => {
  s3.server.change({ clockOffsetMs: 3600_000 });
  const store = openDriverOn(s3.server);
  expect((await expectRejection(store.put("skewed", Buffer.from("x")), "CLOCK_SKEWED")).retryable).toBe(true);
  await withRetry(store, { baseDelayMs: 1 }).put("skewed", Buffer.from("x"));
  s3.server.change({ clockOffsetMs: 0 });
  await store.close();
});

describe("TLS", () => {
  test("with an authority that this machine does not know is refused at once, and trusted when it is named", async () => {
    const server = await startS3Server({ tls: true });
    const unknown = openStore({ ...configFor(server), retry: { deadlineMs: 60_000 } });
    const error = await expectRejection(unknown.put("a", Buffer.from("x")), "STORE_UNREACHABLE");
    expect(error.message).toContain("its certificate is signed by");
    expect(error.retryable).toBe(false);
    const known = openStore({ ...configFor(server), caPem: server.caPem, retry: false });
    await known.put("a", Buffer.from("x"));
    expect(String(await readObject(known, "a"))).toBe("x");
    await unknown.close();
    await known.close();
    await server.close();
  });

  test("spoken to a server that has none is recognised", async () => {
    const error = await expectRefusal("STORE_UNREACHABLE", { endpoint: s3.server.endpoint.replace("http:", "https:") });
    expect(error.hint).toContain("perhaps it is http");
    expect(error.retryable).toBe(false);
  });

  test("that is not spoken to a server that wants it is recognised", async () => {
    const server = await startS3Server({ tls: true });
    const store = openStore({
      ...configFor(server),
      endpoint: server.endpoint.replace("https:", "http:"),
      retry: false,
    });
    await expectRejection(store.put("a", Buffer.from("x")), "STORE_UNREACHABLE");
    await store.close();
    await server.close();
  });
});

test("an object of an archive class names the command that thaws it", async () => {
  const store = openDriverOn(s3.server, { storageClass: "GLACIER" });
  await store.put("cold/it's here", Buffer.from("x"));
  const error = await expectRejection(store.get("cold/it's here"), "OBJECT_ARCHIVED");
  expect(error.hint).toBe(
    `Thaw it (hours) and try again: aws s3api restore-object --region eu-central-1 --bucket soar-test --key 'cold/it'\\''s here' --restore-request '{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}'`,
  );
  await store.close();
});

test.each(["aws", "b2", "wasabi", "spaces", "r2", "minio"] as const)(
  "a quota of %s that is exhausted",
  async (profile) => {
    const full = await openS3ForTest(profile, { server: { quotaBytes: 10 } });
    const error = await expectRejection(full.store.put("a", Buffer.alloc(100)), "STORE_QUOTA");
    expect(error.retryable).toBe(false);
    await full.cleanUp();
  },
);

test("a missing permission is never 'not there'", async () => {
  s3.server.addCredential({
    accessKeyId: "BLIND",
    secretAccessKey: "blind-secret",
    deny: ["s3:GetObject", "s3:ListBucket"],
  });
  const store = openDriverOn(s3.server, { credentials: { accessKeyId: "BLIND", secretAccessKey: "blind-secret" } });
  await expectRejection(store.stat("nothing"), "STORE_DENIED");
  await expectRejection(store.get("nothing"), "STORE_DENIED");
  await expectRejection(keysOf(store.list("")), "STORE_DENIED");
  await store.close();
});

test("secrets are in no message, hint or location", async () => {
  const secretAccessKey = "a-very-secret-secret/with+signs";
  await using scripted = await openScripted(
    [
      errorReply(403, "SignatureDoesNotMatch", `you sent ${secretAccessKey}`),
      errorReply(418, "Teapot", `you sent ${secretAccessKey}`),
    ],
    {
      credentials: { accessKeyId: "AKIAABCDEFGHIJKLMNOP", secretAccessKey },
    },
  );
  for (const code of ["STORE_DENIED", "STORE_PROTOCOL"] as const) {
    const { message, hint = "" } = await expectRejection(scripted.store.get("a"), code);
    expect(message + hint + scripted.store.location).not.toContain(secretAccessKey);
  }
});

test("an endpoint that is no S3 says so", async () => {
  await using scripted = await openScripted([
    { body: "<html>console</html>" },
    { status: 404, body: "<html>not found</html>" },
  ]);
  expect((await expectRejection(keysOf(scripted.store.list("")), "STORE_PROTOCOL")).message).toContain(
    "cannot be trusted",
  );
  expect((await expectRejection(keysOf(scripted.store.list("")), "STORE_PROTOCOL")).hint).toContain(
    "is the S3 endpoint of the provider",
  );
});
