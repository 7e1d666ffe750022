import { connect, type AddressInfo } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { openStore, readObject, uploadStream, type ObjectStore, type StoreConfig } from "@soar/storage";
import { createSelfSignedCertificate, startS3Server, type S3TestServer } from "@soar-tooling/s3-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectRejection, keysOf } from "./expect-rejection.ts";
import { configFor } from "./s3-fixture.ts";
import { startProxy } from "./proxy-server.ts";

const BODY = Buffer.from("bytes of a segment");

let plain: S3TestServer;
let secured: S3TestServer;
beforeAll(async () => {
  [plain, secured] = await Promise.all([startS3Server(), startS3Server({ tls: true })]);
});
afterAll(async () => {
  await plain.close();
  await secured.close();
});

/** Nothing listens there: the proxy is the only way. */
const AWAY = { http: "http://127.0.0.1:9", https: "https://127.0.0.1:9" } as const;

function open(server: S3TestServer, config: Partial<StoreConfig>): ObjectStore {
  const endpoint = server.caPem === undefined ? AWAY.http : AWAY.https;
  return openStore({ ...configFor(server), endpoint, caPem: server.caPem, retry: false, ...config });
}

async function* large(): AsyncGenerator<Uint8Array, void, void> {
  yield Buffer.alloc(6 * 1024 ** 2, 7);
}

describe("an endpoint that only a proxy reaches", () => {
  test("is used through it with TLS to the endpoint itself, over few connections", async () => {
    await using proxy = await startProxy({ to: secured.port });
    const store = open(secured, { proxy: { https: proxy.url } });
    await store.put("a", BODY, { ifAbsent: true });
    await uploadStream(store, "big", large(), { expectedSize: 1, partSize: 5 * 1024 ** 2, parallel: 1 });
    expect(await readObject(store, "a")).toEqual(BODY);
    expect(await keysOf(store.list(""))).toEqual(["a", "big"]);
    await store.remove(["a", "big"]);
    expect(store.features.proxy).toBe(proxy.url);
    expect([...new Set(proxy.asked)]).toEqual(["CONNECT 127.0.0.1:9"]);
    expect(proxy.asked.length).toBeLessThanOrEqual(3);
    await store.close();
  });

  test("is used through it without TLS, too", async () => {
    await using proxy = await startProxy({ to: plain.port });
    const store = open(plain, { proxy: { http: proxy.url } });
    await store.put("a", BODY);
    expect(await readObject(store, "a")).toEqual(BODY);
    expect(proxy.asked[0]).toMatch(/^PUT http:\/\/127\.0\.0\.1:9\/soar-test\/a/);
    await store.remove(["a"]);
    await store.close();
  });

  test("is used through a proxy that is spoken to with TLS itself", async () => {
    const { certPem: cert, keyPem: key } = createSelfSignedCertificate(Date.now());
    // One certificate for the proxy and for the endpoint behind it.
    const endpoint = createTlsServer({ cert, key }, (socket) => {
      const onward = connect(plain.port, "127.0.0.1");
      socket.pipe(onward).pipe(socket);
      for (const end of [socket, onward]) end.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => void endpoint.listen(0, "127.0.0.1", resolve));
    for (const [way, to] of [
      [AWAY.http, plain.port],
      [AWAY.https, (endpoint.address() as AddressInfo).port],
    ] as const) {
      await using proxy = await startProxy({ to, tls: { cert, key } });
      const store = open(plain, { endpoint: way, proxy: { http: proxy.url, https: proxy.url }, caPem: cert });
      await store.put("a", BODY);
      expect(proxy.asked).toHaveLength(1);
      await store.remove(["a"]);
      await store.close();
    }
    endpoint.close();
  });

  test("is used through a proxy that wants to know who asks", async () => {
    await using proxy = await startProxy({ to: secured.port, demands: "me:a secret/word" });
    const address = proxy.url.replace("//", "//me:a%20secret%2Fword@");
    const store = open(secured, { proxy: { https: address } });
    await store.put("a", BODY);
    expect(store.features.proxy).toBe(proxy.url);
    await store.remove(["a"]);
    await store.close();
  });
});

test("a host that is excepted is reached directly", async () => {
  await using proxy = await startProxy({ to: 9 });
  const store = open(plain, { endpoint: plain.endpoint, proxy: { http: proxy.url, except: ["127.0.0.0/8"] } });
  await store.put("a", BODY);
  expect(store.features.proxy).toBeUndefined();
  expect(proxy.asked).toEqual([]);
  await store.close();
});

describe("a SOCKS proxy in ALL_PROXY, as desktops and jump hosts set it,", () => {
  const SOCKS = "socks5://127.0.0.1:9";

  test.each([
    ["the endpoint is excepted", { http: SOCKS, https: SOCKS, except: ["127.0.0.1"] }],
    ["the endpoint is of another scheme", { https: SOCKS }],
  ])("is no trouble where %s", async (_name, proxy) => {
    const store = open(plain, { endpoint: plain.endpoint, proxy });
    await store.put("a", BODY);
    expect(store.features.proxy).toBeUndefined();
    await store.remove(["a"]);
    await store.close();
  });

  test("is refused before anything is sent where it is on the way", () => {
    expect(() => open(plain, { proxy: { http: SOCKS } })).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(SOCKS) }),
    );
  });
});

describe("a proxy that is the trouble is named, and not the endpoint:", () => {
  async function failure(
    server: S3TestServer,
    proxy: StoreConfig["proxy"],
    code: Parameters<typeof expectRejection>[1],
  ) {
    const store = open(server, { proxy, connectTimeoutMs: 300 });
    const error = await expectRejection(store.put("a", BODY), code);
    await store.close();
    return error;
  }

  test("nothing listens there, or nobody knows its name", async () => {
    for (const server of [plain, secured]) {
      const dead = "http://127.0.0.1:9";
      const error = await failure(server, { http: dead, https: dead }, "STORE_UNREACHABLE");
      expect(error.message).toContain("the proxy http://127.0.0.1:9 cannot be reached (ECONNREFUSED)");
      expect(error.retryable).toBe(true);
      const unknown = "http://proxy.soar.invalid:3128";
      const other = await failure(server, { http: unknown, https: unknown }, "STORE_UNREACHABLE");
      expect(other.message).toMatch(/the proxy http:\/\/proxy\.soar\.invalid:3128 cannot be reached/);
    }
  });

  test("it wants to know who asks", async () => {
    for (const server of [plain, secured]) {
      await using proxy = await startProxy({ to: server.port, demands: "me:word" });
      const error = await failure(server, { http: proxy.url, https: proxy.url }, "STORE_DENIED");
      expect(error.hint).toContain("user and password");
    }
  });

  test("it lets nobody through", async () => {
    await using proxy = await startProxy({ to: secured.port, refuses: 403 });
    const error = await failure(secured, { https: proxy.url }, "STORE_UNREACHABLE");
    expect(error.message).toContain("answered 403");
    expect(error.retryable).toBe(false);
  });

  test("it does not reach the endpoint, which may pass", async () => {
    await using proxy = await startProxy({ to: secured.port, refuses: 503 });
    expect((await failure(secured, { https: proxy.url }, "STORE_UNREACHABLE")).retryable).toBe(true);
  });

  test("it never answers", async () => {
    await using proxy = await startProxy({ to: secured.port, isSilent: true });
    const error = await failure(secured, { https: proxy.url }, "STORE_UNREACHABLE");
    expect(error.message).toContain("within 0.3 s");
  });

  test("its password is in no message", async () => {
    const error = await failure(secured, { https: "http://me:a-secret-word@127.0.0.1:9" }, "STORE_UNREACHABLE");
    expect(error.message + (error.hint ?? "")).not.toContain("a-secret-word");
  });
});
