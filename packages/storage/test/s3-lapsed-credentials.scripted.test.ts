import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ObjectStore } from "@soar/storage";
import { countByOperation, type FaultRule, startS3Server, type S3TestServer } from "@soar-tooling/s3-server";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { expectRejection, keysOf } from "./expect-rejection.ts";
import { openDriverOn } from "./s3-fixture.ts";
import { errorReply, openScripted } from "./scripted-server.ts";

const ENVIRONMENT = { ...process.env };
const BODY = Buffer.from("bytes of a segment");

interface Temporary {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

const temporary = (name: string): Temporary => ({
  accessKeyId: `KEY${name}`,
  secretAccessKey: `secret-${name}`,
  sessionToken: `token-${name}`,
});
const [first, second] = [temporary("1"), temporary("2")];

let directory: string;
let server: S3TestServer;
let store: ObjectStore;

function writeProfile({ accessKeyId, secretAccessKey, sessionToken }: Temporary): void {
  writeFileSync(
    join(directory, "credentials"),
    `[default]\naws_access_key_id=${accessKeyId}\naws_secret_access_key=${secretAccessKey}\naws_session_token=${sessionToken}\n`,
  );
}

/** Refuses whatever the first credentials sign, in these words. */
function letLapse(status: number, code: string, more: Partial<FaultRule> = {}): void {
  server.inject({
    headers: { authorization: `Credential=${first.accessKeyId}/` },
    times: "always",
    ...more,
    fault: { type: "error", status, code, message: code },
  });
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "soar-lapsed-"));
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) delete process.env[name];
  Object.assign(process.env, {
    AWS_SHARED_CREDENTIALS_FILE: join(directory, "credentials"),
    AWS_CONFIG_FILE: join(directory, "config"),
    AWS_EC2_METADATA_DISABLED: "true",
  });
  server = await startS3Server({ credentials: [first, second], rules: { minPartSize: 256 } });
  writeProfile(first);
  store = openDriverOn(server, { credentials: undefined });
  await store.put("before", BODY);
});
afterEach(async () => {
  await store.close();
  await server.close();
  process.env = { ...ENVIRONMENT };
  rmSync(directory, { recursive: true });
});

const WORK: readonly [string, () => Promise<unknown>][] = [
  ["a put", () => store.put("a", BODY)],
  ["a look, whose refusal has no body", () => store.stat("before")],
  ["a read", () => store.get("before")],
  ["a listing", () => keysOf(store.list(""))],
  ["removals", () => store.remove(["before", "after"])],
];

describe.each<[string, number, string]>([
  ["403 AccessDenied, as Ceph says it", 403, "AccessDenied"],
  ["401 Unauthorized", 401, "Unauthorized"],
  ["401 AccessDenied", 401, "AccessDenied"],
  ["403 Forbidden of a gateway", 403, "Forbidden"],
  ["400 ExpiredToken", 400, "ExpiredToken"],
])("a token that has lapsed, which the server calls %s", (_name, status, code) => {
  test.each(WORK)("is renewed by the process that runs, with %s", async (_work, work) => {
    letLapse(status, code);
    writeProfile(second);
    await work();
    expect(server.requests.at(-1)).toMatchObject({ accessKeyId: second.accessKeyId });
  });

  test("is renewed in the middle of an upload in parts", async () => {
    const upload = await store.beginMultipart("a", { partSize: 256 });
    await upload.putPart(1, Buffer.alloc(256, 1));
    letLapse(status, code);
    writeProfile(second);
    await upload.putPart(2, BODY);
    expect(await upload.complete()).toMatchObject({ size: 256 + BODY.byteLength });
  });

  test("is looked for once by many requests that are refused at the same time", async () => {
    letLapse(status, code);
    writeProfile(second);
    await Promise.all(["a", "b", "c", "d"].map((key) => store.put(key, BODY)));
    expect(store.features.learned).toEqual([]);
  });
});

test("401 before it was renewed is unreachable, and so waited for", async () => {
  letLapse(401, "Unauthorized");
  for (const [, work] of WORK) expect((await expectRejection(work(), "STORE_UNREACHABLE")).retryable).toBe(true);
});

test("403 before it was renewed is a missing right as far as anybody can tell, and is not asked twice", async () => {
  letLapse(403, "AccessDenied");
  server.requests.splice(0);
  await expectRejection(keysOf(store.list("")), "STORE_DENIED");
  expect(countByOperation(server.requests)).toEqual({ ListObjectsV2: 1 });
});

test("403 while the credentials cannot be read is unreachable, and so waited for", async () => {
  letLapse(403, "AccessDenied");
  writeFileSync(join(directory, "credentials"), "");
  expect((await expectRejection(keysOf(store.list("")), "STORE_UNREACHABLE")).message).toContain("were not renewed");
  writeProfile(second);
  expect(await keysOf(store.list(""))).toEqual(["before"]);
});

test("a right that new credentials lack, too, is denied after one more request", async () => {
  server.inject({
    operation: "ListObjectsV2",
    times: "always",
    fault: { type: "error", status: 403, code: "AccessDenied" },
  });
  writeProfile(second);
  server.requests.splice(0);
  await expectRejection(keysOf(store.list("")), "STORE_DENIED");
  await expectRejection(keysOf(store.list("")), "STORE_DENIED");
  expect(countByOperation(server.requests)).toEqual({ ListObjectsV2: 3 });
});

test("credentials whose own end has passed are waited for, whatever the server calls that", async () => {
  let until = Date.now() + 60_000;
  const metadata = createServer((_request, response) => {
    const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token } = first;
    response.end(JSON.stringify({ AccessKeyId, SecretAccessKey, Token, Expiration: new Date(until).toISOString() }));
  });
  await new Promise<void>((resolve) => void metadata.listen(0, "127.0.0.1", resolve));
  rmSync(join(directory, "credentials"));
  process.env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = `http://127.0.0.1:${(metadata.address() as AddressInfo).port}/`;
  const contained = openDriverOn(server, { credentials: undefined });
  await contained.put("a", BODY);
  until = Date.now() - 1_000;
  letLapse(403, "AccessDenied");
  await expectRejection(contained.put("b", BODY), "STORE_UNREACHABLE");
  await contained.close();
  metadata.closeAllConnections();
  metadata.close();
});

test("a look that is refused with 401, which has no body, says why", async () => {
  await using scripted = await openScripted([{ status: 401 }, errorReply(401, "InvalidAccessKeyId")]);
  const error = await expectRejection(scripted.store.stat("a"), "STORE_DENIED");
  expect(error.message).toContain("does not know the access key");
});

describe("keys from a chain, and a server that takes no unsigned bodies", () => {
  test.each([
    [403, "SignatureDoesNotMatch"],
    [403, "AccessDenied"],
    [401, "Unauthorized"],
    [400, "XAmzContentSHA256Mismatch"],
  ])("that it refuses with %i %s: they are signed, and the keys are right", async (status, code) => {
    server.inject({
      operation: ["PutObject", "UploadPart"],
      headers: { "x-amz-content-sha256": "^UNSIGNED-PAYLOAD$" },
      times: "always",
      fault: { type: "error", status, code, message: "the signature does not match" },
    });
    await store.put("a", BODY);
    const upload = await store.beginMultipart("b", { partSize: 256 });
    await upload.putPart(1, BODY);
    await upload.complete();
    expect(store.features.learned).toEqual([expect.objectContaining({ habit: "payloadSignature", way: "sha256" })]);
  });

  test("a body that other credentials got in, which another request found meanwhile, teaches nothing", async () => {
    const given = [first, second];
    const meanwhile: Promise<unknown>[] = [];
    await using scripted = await openScripted(
      [
        {
          act: (_request, response) => {
            meanwhile.push(
              scripted.store.get("x").then(async (object) => {
                const { status, body = "" } = errorReply(403, "AccessDenied");
                response.writeHead(status ?? 0).end(body);
                return object;
              }),
            );
          },
        },
        errorReply(400, "ExpiredToken"),
        { headers: { "last-modified": "Sun, 05 Jan 2025 12:00:00 GMT", etag: '"x"' }, body: "x" },
        { headers: { etag: '"9ddc1d4cdd4d0b4d7e4d5a1b5b2a1d3e"' } },
        { headers: { "last-modified": "Sun, 05 Jan 2025 12:00:00 GMT", "content-length": String(BODY.byteLength) } },
      ],
      { credentials: async () => given.shift() ?? second },
    );
    await scripted.store.put("a", BODY);
    await Promise.all(meanwhile);
    expect(scripted.store.features.learned).toEqual([]);
  });

  test("a secret key that is wrong is said to be wrong, not that nobody renewed it", async () => {
    writeProfile({ ...first, secretAccessKey: "other" });
    const wrong = openDriverOn(server, { credentials: undefined });
    const error = await expectRejection(wrong.put("a", BODY), "STORE_DENIED");
    expect(error.message).toContain("the secret key does not belong to the access key");
    expect(wrong.features.learned).toEqual([]);
    await wrong.close();
  });
});
