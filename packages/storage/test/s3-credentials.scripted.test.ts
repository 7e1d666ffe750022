import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withRetry, type ObjectStore, type StoreConfig } from "@soar/storage";
import { startS3Server, type S3TestServer } from "@soar-tooling/s3-server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { expectRejection, keysOf } from "./expect-rejection.ts";
import { openDriverOn } from "./s3-fixture.ts";

const ENVIRONMENT = { ...process.env };
const BODY = Buffer.from("bytes of a segment");

/** Temporary credentials, which a test lets expire. */
interface Temporary {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  expiresAt?: number;
}

const temporary = (name: string): Temporary => ({
  accessKeyId: `KEY${name}`,
  secretAccessKey: `secret-${name}`,
  sessionToken: `token-${name}`,
});

let directory: string;
let server: S3TestServer;
let store: ObjectStore;
const [first, second] = [temporary("1"), temporary("2")];

function writeProfile({ accessKeyId, secretAccessKey, sessionToken }: Temporary): void {
  writeFileSync(
    join(directory, "credentials"),
    `[default]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\naws_session_token=${sessionToken}\n`,
  );
}

function open(config: Partial<StoreConfig> = {}): ObjectStore {
  return openDriverOn(server, { credentials: undefined, ...config });
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "soar-credentials-"));
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) delete process.env[name];
  Object.assign(process.env, {
    AWS_SHARED_CREDENTIALS_FILE: join(directory, "credentials"),
    AWS_CONFIG_FILE: join(directory, "config"),
    AWS_EC2_METADATA_DISABLED: "true",
  });
  delete first.expiresAt;
  delete second.expiresAt;
  server = await startS3Server({ credentials: [first, second], rules: { minPartSize: 256 } });
});
afterEach(async () => {
  await store.close();
  await server.close();
  process.env = { ...ENVIRONMENT };
  rmSync(directory, { recursive: true });
});

describe("a token in ~/.aws/credentials that another program renews", () => {
  beforeEach(async () => {
    writeProfile(first);
    store = open();
    await store.put("before", BODY);
    first.expiresAt = 0;
  });

  test.each<[string, () => Promise<unknown>]>([
    ["a put", () => store.put("a", BODY)],
    ["a look, whose refusal has no body", () => store.stat("before")],
    ["a read", () => store.get("before")],
    ["a listing", () => keysOf(store.list(""))],
    ["a removal", () => store.remove(["before", "after"])],
  ])("is taken up by the process that runs, with %s", async (_name, work) => {
    writeProfile(second);
    await work();
    expect(server.requests.at(-1)).toMatchObject({ accessKeyId: second.accessKeyId, status: expect.any(Number) });
  });

  test("is looked for once by many requests that are refused at the same time", async () => {
    writeProfile(second);
    server.requests.splice(0);
    await Promise.all(["a", "b", "c", "d"].map((key) => store.put(key, BODY)));
    expect(server.requests.filter(({ status }) => status === 200)).toHaveLength(4);
    expect(server.requests.length).toBeLessThanOrEqual(8);
  });

  test("is taken up in the middle of an upload in parts", async () => {
    delete first.expiresAt;
    const upload = await store.beginMultipart("a", { partSize: 256 });
    await upload.putPart(1, Buffer.alloc(256, 1));
    first.expiresAt = 0;
    writeProfile(second);
    await upload.putPart(2, BODY);
    expect(await upload.complete()).toMatchObject({ size: 256 + BODY.byteLength });
  });

  test("and is late is waited for: unreachable until then, never 'no credentials'", async () => {
    for (const leaveAs of ["old", "empty"]) {
      if (leaveAs === "empty") writeFileSync(join(directory, "credentials"), "");
      const error = await expectRejection(store.put("a", BODY), "STORE_UNREACHABLE");
      expect(error.retryable).toBe(true);
      expect(error.message).toContain("the credentials that worked until now were not renewed");
    }
    const waiting = withRetry(store, {
      baseDelayMs: 1,
      onEvent: (event) => event.type === "retry" && event.attempt === 3 && writeProfile(second),
    }).put("a", BODY);
    expect(await waiting).toMatchObject({ size: BODY.byteLength });
  });
});

test("an access key that was replaced, and does not exist any more, is looked for again", async () => {
  writeProfile(first);
  store = open();
  await store.put("before", BODY);
  writeProfile(second);
  server.inject({ operation: "PutObject", fault: { type: "error", status: 403, code: "InvalidAccessKeyId" } });
  await store.put("a", BODY);
  expect(server.requests.at(-1)).toMatchObject({ accessKeyId: second.accessKeyId });
});

test("a token that has expired before anything worked is denied at once", async () => {
  first.expiresAt = 0;
  writeProfile(first);
  store = open();
  expect((await expectRejection(store.put("a", BODY), "STORE_DENIED")).message).toContain("token has expired");
});

test("a missing right is no reason to ask again with the same credentials", async () => {
  writeProfile(first);
  store = open();
  await store.put("before", BODY);
  server.inject({
    operation: "ListObjectsV2",
    times: "always",
    fault: { type: "error", status: 403, code: "AccessDenied" },
  });
  server.requests.splice(0);
  await expectRejection(keysOf(store.list("")), "STORE_DENIED");
  expect(server.requests).toHaveLength(1);
});

test("fixed credentials that expire are denied: nobody renews them", async () => {
  store = open({ credentials: first });
  await store.put("before", BODY);
  first.expiresAt = 0;
  await expectRejection(store.put("a", BODY), "STORE_DENIED");
});

test("a caller's function is asked once, and again after a refusal", async () => {
  const given = [first, second];
  let asked = 0;
  store = open({ credentials: async () => given[asked++] ?? second });
  await store.put("a", BODY);
  await store.put("b", BODY);
  expect(asked).toBe(1);
  first.expiresAt = 0;
  await store.put("c", BODY);
  expect(asked).toBe(2);
});

describe("a container's credentials", () => {
  test("that cannot be renewed for a while are used as long as they are valid, and waited for then", async () => {
    let answer: (Temporary & { readonly until: number }) | undefined = { ...first, until: Date.now() + 60_000 };
    const metadata = createServer((_request, response) => {
      if (answer === undefined) return void response.writeHead(500).end("{}");
      const { accessKeyId, secretAccessKey, sessionToken, until } = answer;
      response.end(
        JSON.stringify({
          AccessKeyId: accessKeyId,
          SecretAccessKey: secretAccessKey,
          Token: sessionToken,
          Expiration: new Date(until).toISOString(),
        }),
      );
    });
    await new Promise<void>((resolve) => void metadata.listen(0, "127.0.0.1", resolve));
    const { port } = metadata.address() as AddressInfo;
    process.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = `http://127.0.0.1:${port}/`;
    store = open();
    await store.put("a", BODY);
    answer = undefined;
    // Within the last five minutes of their life the chain asks before each request.
    await store.put("b", BODY);
    first.expiresAt = 0;
    await expectRejection(store.put("c", BODY), "STORE_UNREACHABLE");
    answer = { ...second, until: Date.now() + 60_000 };
    await store.put("d", BODY);
    metadata.closeAllConnections();
    metadata.close();
  });
});
