import type { StoreConfig } from "@soar/storage";
import type { Config } from "../options/option-table.ts";
import type { storageOptions } from "../options/storage-options.ts";

export type ProxySettings = Pick<Config<typeof storageOptions>, "proxy" | "httpsProxy" | "httpProxy" | "noProxy">;

/** What switches proxies off that the environment has for everybody. */
const OFF = /^(?:off|none|direct)$/i;

/**
 * The proxies as curl and others find them: names in lower case count more than those in capitals. One that is given for
 * backups alone is for every endpoint, and NO_PROXY, which was written for others, does not except from it.
 */
export function proxyOf(
  { proxy, httpsProxy, httpProxy, noProxy }: ProxySettings,
  environment: Readonly<Record<string, string | undefined>>,
): StoreConfig["proxy"] {
  if (proxy !== undefined) return OFF.test(proxy) ? undefined : { http: proxy, https: proxy };
  const found = (lower: string, upper: string | undefined): string | undefined => environment[lower] || upper;
  const every = found("all_proxy", environment["ALL_PROXY"]);
  const [http, https] = [found("http_proxy", httpProxy) || every, found("https_proxy", httpsProxy) || every];
  if (http === undefined && https === undefined) return undefined;
  return { http, https, except: (found("no_proxy", noProxy) ?? "").split(/[\s,]+/) };
}
