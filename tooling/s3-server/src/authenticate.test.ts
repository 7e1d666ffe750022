import { describe, expect, test } from "vitest";
import { openServerForTest } from "./s3-server.fixture.ts";
import { signRequest } from "./sign-request.ts";

const MINUTE = 60_000;

describe("who may talk to the server", () => {
  test("knows its keys and checks every signature", async () => {
    await using open = await openServerForTest();
    const { server, client } = open;
    expect((await client.send({ method: "PUT", key: "a b/ü+&=(x)*'~.txt", body: "hello" })).status).toBe(200);
    expect((await client.send({ method: "GET", key: "a b/ü+&=(x)*'~.txt" })).text).toBe("hello");
    expect((await client.sendRaw("GET", `/${server.bucket}/a`, {})).errorCode).toBe("AccessDenied");
    const stranger = open.clientFor({ accessKeyId: "AKIASTRANGER", secretAccessKey: server.secretAccessKey });
    expect(await stranger.send({ method: "GET", key: "a" })).toMatchObject({
      status: 403,
      errorCode: "InvalidAccessKeyId",
    });
    const forger = open.clientFor({ accessKeyId: server.accessKeyId, secretAccessKey: "guessed" });
    expect(await forger.send({ method: "GET", key: "a" })).toMatchObject({
      status: 403,
      errorCode: "SignatureDoesNotMatch",
    });
    expect(server.requests.map(({ errorCode }) => errorCode)).toEqual([
      undefined,
      undefined,
      "AccessDenied",
      "InvalidAccessKeyId",
      "SignatureDoesNotMatch",
    ]);
  });

  test("refuses what was changed after signing", async () => {
    await using open = await openServerForTest();
    const { server, client } = open;
    const link = client.presign({ method: "GET", key: "secret" }, 60);
    expect(await client.sendRaw("GET", link.replace("/secret?", "/other?"), {})).toMatchObject({
      errorCode: "SignatureDoesNotMatch",
    });
    expect(await client.sendRaw("DELETE", link, {})).toMatchObject({ errorCode: "SignatureDoesNotMatch" });
    expect(await client.sendRaw("GET", link, { "x-amz-meta-added": "1" })).toMatchObject({
      errorCode: "AccessDenied",
      errorMessage: expect.stringContaining("not signed"),
    });
    expect(server.objects().size).toBe(0);
  });

  test("serves links until they expire", async () => {
    await using open = await openServerForTest();
    const { server, client } = open;
    await client.send({ method: "PUT", key: "k", body: "linked" });
    const link = client.presign({ method: "GET", key: "k" }, 600);
    expect((await client.sendRaw("GET", link, {})).text).toBe("linked");
    server.change({ clockOffsetMs: 11 * MINUTE });
    expect(await client.sendRaw("GET", link, {})).toMatchObject({
      status: 403,
      errorCode: "AccessDenied",
      errorMessage: "Request has expired",
    });
    expect(await client.sendRaw("GET", client.presign({ method: "GET", key: "k" }, 700_000), {})).toMatchObject({
      errorCode: "AuthorizationQueryParametersError",
    });
  });

  test.each([-16, 16])("refuses a clock that is %i minutes off", async (minutes) => {
    await using open = await openServerForTest();
    open.server.change({ clockOffsetMs: minutes * MINUTE });
    expect(await open.client.send({ method: "GET", key: "k" })).toMatchObject({
      status: 403,
      errorCode: "RequestTimeTooSkewed",
    });
    open.server.change({ clockOffsetMs: (minutes * 14 * MINUTE) / 16 });
    expect((await open.client.send({ method: "GET", key: "k" })).errorCode).toBe("NoSuchKey");
  });

  test("names the region that it expected", async () => {
    await using open = await openServerForTest({ region: "eu-west-1" });
    const { server } = open;
    const { accessKeyId, secretAccessKey } = server;
    const elsewhere = open.clientFor({ accessKeyId, secretAccessKey, region: "us-east-1" });
    const reply = await elsewhere.send({ method: "GET", key: "k" });
    expect(reply).toMatchObject({ status: 400, errorCode: "AuthorizationHeaderMalformed" });
    expect(reply.text).toContain("<Region>eu-west-1</Region>");
  });

  test("takes the regions that the provider takes", async () => {
    await using r2 = await openServerForTest({ profile: "r2" });
    const { accessKeyId, secretAccessKey } = r2.server;
    const status = async (region: string): Promise<number> =>
      (await r2.clientFor({ accessKeyId, secretAccessKey, region }).send({ method: "HEAD" })).status;
    expect([await status("auto"), await status("us-east-1"), await status("eu-west-1")]).toEqual([200, 200, 400]);
  });

  test("redirects to a bucket's own region", async () => {
    await using open = await openServerForTest({ bucket: ["here", { name: "there", region: "ap-south-1" }] });
    const { accessKeyId, secretAccessKey } = open.server;
    for (const client of [open.client, open.clientFor({ accessKeyId, secretAccessKey, region: "ap-south-1" })]) {
      const reply = await client.send({ method: "GET", bucket: "there", key: "k" });
      expect(reply).toMatchObject({
        status: 301,
        errorCode: "PermanentRedirect",
        headers: { "x-amz-bucket-region": "ap-south-1" },
      });
    }
    expect((await open.client.send({ method: "GET", bucket: "nowhere", key: "k" })).errorCode).toBe("NoSuchBucket");
  });

  test("wants the token of temporary keys, and only for as long as they last", async () => {
    const expiresAt = Date.now() + 10 * MINUTE;
    const keys = { accessKeyId: "ASIATEMPORARY", secretAccessKey: "s", sessionToken: "token" };
    await using open = await openServerForTest({
      credentials: [
        { accessKeyId: "owner", secretAccessKey: "o" },
        { ...keys, expiresAt },
      ],
    });
    const { server, clientFor } = open;
    const ask = (credential: Parameters<typeof clientFor>[0]) =>
      clientFor(credential).send({ method: "GET", key: "k" });
    expect((await ask(keys)).errorCode).toBe("NoSuchKey");
    expect((await ask({ ...keys, sessionToken: "other" })).errorCode).toBe("InvalidToken");
    expect((await ask({ accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey })).errorCode).toBe(
      "InvalidAccessKeyId",
    );
    server.change({ clockOffsetMs: 11 * MINUTE });
    expect(await ask(keys)).toMatchObject({ status: 400, errorCode: "ExpiredToken" });
    expect(JSON.stringify(server.requests)).not.toContain('"token"');
  });

  test("addresses buckets by path and by host", async () => {
    await using open = await openServerForTest();
    const { server, client } = open;
    await client.send({ method: "PUT", key: "k", body: "x" });
    const host = `${server.bucket}.localhost:${server.port}`;
    const signed = signRequest(server, {
      method: "GET",
      host,
      path: "/k",
      query: {},
      headers: {},
      payloadHash: "UNSIGNED-PAYLOAD",
      time: Date.now(),
    });
    expect((await client.sendRaw("GET", signed.url, signed.headers)).text).toBe("x");
  });

  test("refuses old signatures, other services and malformed headers", async () => {
    await using open = await openServerForTest();
    const { client } = open;
    const code = async (authorization: string): Promise<string | undefined> =>
      (await client.sendRaw("GET", "/soar-test/k", { authorization })).errorCode;
    expect(await code("AWS key:signature")).toBe("InvalidRequest");
    expect(await code("AWS4-HMAC-SHA256 nonsense")).toBe("AuthorizationHeaderMalformed");
    expect(await client.sendRaw("GET", "/soar-test/%ff", {})).toMatchObject({ status: 400, errorCode: "InvalidURI" });
  });
});
