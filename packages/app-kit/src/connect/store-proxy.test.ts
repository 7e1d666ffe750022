import { expect, test } from "vitest";
import { proxyOf } from "./store-proxy.ts";

type Settings = Parameters<typeof proxyOf>[0];

const NONE: Settings = { proxy: undefined, httpsProxy: undefined, httpProxy: undefined, noProxy: undefined };

test.each<[Partial<Settings>, Record<string, string>, ReturnType<typeof proxyOf>]>([
  [{}, {}, undefined],
  [{ httpsProxy: "http://a:1" }, {}, { https: "http://a:1", http: undefined, except: [""] }],
  [{ httpsProxy: "http://a:1" }, { https_proxy: "http://b:1" }, { https: "http://b:1", http: undefined, except: [""] }],
  [{}, { ALL_PROXY: "http://c:1" }, { https: "http://c:1", http: "http://c:1", except: [""] }],
  [{}, { all_proxy: "http://d:1", ALL_PROXY: "x" }, { https: "http://d:1", http: "http://d:1", except: [""] }],
  [
    { httpProxy: "http://e:1", noProxy: "localhost, .internal" },
    {},
    { https: undefined, http: "http://e:1", except: ["localhost", ".internal"] },
  ],
  [
    { httpProxy: "http://e:1", noProxy: "x" },
    { no_proxy: "*" },
    { https: undefined, http: "http://e:1", except: ["*"] },
  ],
  [{ noProxy: "*" }, {}, undefined],
  [{ proxy: "http://f:1", noProxy: "*" }, { https_proxy: "x" }, { https: "http://f:1", http: "http://f:1" }],
  [{ proxy: "off" }, { https_proxy: "x" }, undefined],
])("%j with %j", (settings, environment, expected) => {
  expect(proxyOf({ ...NONE, ...settings }, environment)).toEqual(expected);
});
