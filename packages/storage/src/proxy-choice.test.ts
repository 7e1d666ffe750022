import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { StoreProxy } from "./store-config.ts";
import { chooseProxy, nameOfProxy, type Target } from "./proxy-choice.ts";

const PROXY = "http://user:pass%20word@proxy.internal:3128";

function isProxied(url: string, except: readonly string[]): boolean {
  const { protocol, hostname, port } = new URL(url);
  const target = { protocol, hostname, port: port === "" ? undefined : Number(port) };
  return chooseProxy({ http: PROXY, https: PROXY, except })(target) !== undefined;
}

test.each([
  ["https://s3.example.com", [], true],
  ["https://s3.example.com", ["*"], false],
  ["https://s3.example.com", ["example.com"], false],
  ["https://s3.example.com", [".example.com"], false],
  ["https://s3.example.com", ["*.example.com"], false],
  ["https://s3.example.com", ["S3.Example.COM."], false],
  ["https://s3.example.com", [" s3.example.com ", ""], false],
  ["https://s3.example.com", ["ample.com", "example.org", "com.s3"], true],
  ["https://example.com", [".example.com"], false],
  ["https://s3.example.com", ["s3.example.com:443"], false],
  ["https://s3.example.com", ["s3.example.com:9000"], true],
  ["https://s3.example.com:9000", ["example.com:9000"], false],
  ["http://s3.example.com", ["s3.example.com:80"], false],
  ["http://10.1.2.3:9000", ["10.0.0.0/8"], false],
  ["http://10.1.2.3:9000", ["10.1.2.3"], false],
  ["http://10.1.2.3:9000", ["10.1.2.3:9000"], false],
  ["http://10.1.2.3:9000", ["10.2.0.0/16", "2.3", "10.0.0.0/99", "fd00::/8"], true],
  ["http://[fd00::1]:9000", ["fd00::/8"], false],
  ["http://[fd00::1]:9000", ["[fd00::1]:9000"], false],
  ["http://[fd00::1]:9000", ["fd01::1"], true],
  ["http://127.0.0.1:9000", [], true],
])("%s except %j: through the proxy: %s", (url, except, expected) => {
  expect(isProxied(url, except)).toBe(expected);
});

test("every host is excepted by itself and by what it lies below, and by no other ending", () => {
  const label = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
  fc.assert(
    fc.property(fc.array(label, { minLength: 2, maxLength: 5 }), label, (labels, other) => {
      const host = labels.join(".");
      for (let from = 0; from < labels.length; from += 1)
        expect(isProxied(`https://${host}`, [labels.slice(from).join(".")])).toBe(false);
      expect(isProxied(`https://${host}`, [`${other}.${host}`, `x${host}`])).toBe(true);
    }),
  );
});

describe("a proxy that is not HTTP", () => {
  const SOCKS = "socks5://127.0.0.1:1080";
  const [plain, secured] = ["http:", "https:"].map((protocol) => ({ protocol, hostname: "s3.example.com" }));

  test.each<[StoreProxy, Target | undefined]>([
    [{ https: SOCKS }, plain],
    [{ http: SOCKS }, secured],
    [{ http: SOCKS, https: SOCKS, except: ["example.com"] }, secured],
    [{ http: SOCKS, https: SOCKS, except: ["*"] }, plain],
    [{ http: "::", https: "http://", except: ["s3.example.com:443", "s3.example.com:80"] }, secured],
  ])("is no trouble where it is not on the way: %j", (proxies, target) => {
    expect(target && chooseProxy(proxies)(target)).toBeUndefined();
  });

  test("is refused where it is, with the way out", () => {
    const choose = chooseProxy({ http: "http://proxy:3128", https: SOCKS });
    expect(plain && choose(plain)?.href).toBe("http://proxy:3128/");
    expect(() => secured && choose(secured)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", hint: expect.stringContaining("without a proxy") }),
    );
  });
});

describe("a proxy's address", () => {
  test("is chosen by the scheme of the endpoint", () => {
    const choose = chooseProxy({ https: "proxy:1" });
    expect(choose({ protocol: "https:", hostname: "h" })?.href).toBe("http://proxy:1/");
    expect(choose({ protocol: "http:", hostname: "h" })).toBeUndefined();
  });

  test("is named without user and password", () => {
    const proxy = chooseProxy({ https: PROXY })({ protocol: "https:", hostname: "h" });
    expect(nameOfProxy(proxy ?? new URL("http://none"))).toBe("http://proxy.internal:3128");
  });

  test.each(["socks5://user:hidden@proxy:1080", "socks5://user:some@hidden@proxy:1080", "ftp://proxy", "http://"])(
    "%s is refused",
    (https) => {
      expect(() => chooseProxy({ https })({ protocol: "https:", hostname: "h" })).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID", message: expect.not.stringContaining("hidden") }),
      );
    },
  );
});
