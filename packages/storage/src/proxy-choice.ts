import { BlockList, isIP } from "node:net";
import { registerSecret, SoarError } from "@soar/errors";
import { settingNamer } from "./setting-names.ts";
import type { NamedSetting, StoreProxy } from "./store-config.ts";

/** Where a connection goes. */
export interface Target {
  /** `http:` or `https:`. */
  readonly protocol: string;
  /** IPv6 addresses with or without brackets. */
  readonly hostname: string;
  readonly port?: number | undefined;
}

/** The proxy on the way to a target; undefined for none. Throws `CONFIG_INVALID` for one that cannot be used. */
export type ProxyChoice = (target: Target) => URL | undefined;

/**
 * Chooses among the configured proxies. One that is not on the way may be of any kind: the variables are those of all programs
 * of a machine, and desktops and jump hosts set SOCKS proxies in `ALL_PROXY`.
 */
export function chooseProxy(
  { http, https, except = [] }: StoreProxy = {},
  nameOf: (setting: NamedSetting) => string = settingNamer(),
): ProxyChoice {
  const texts: Readonly<Record<string, string | undefined>> = { "http:": http, "https:": https };
  const proxies = new Map<string, URL>();
  return (target) => {
    const text = texts[target.protocol];
    if (text === undefined || text === "" || except.some((entry) => isExcepted(entry, target))) return undefined;
    const proxy = proxies.get(text) ?? parseProxy(text, nameOf);
    proxies.set(text, proxy);
    return proxy;
  };
}

/** An endpoint as the target of connections. */
export function targetOf({ protocol, hostname, port }: URL): Target {
  return { protocol, hostname, port: port === "" ? undefined : Number(port) };
}

/** For messages: without user and password. */
export function nameOfProxy(proxy: URL): string {
  return `${proxy.protocol}//${proxy.host}`;
}

function parseProxy(text: string, nameOf: (setting: NamedSetting) => string): URL {
  const url = text.includes("://") ? text : `http://${text}`;
  const proxy = URL.canParse(url) ? new URL(url) : undefined;
  if (proxy !== undefined && proxy.hostname !== "" && (proxy.protocol === "http:" || proxy.protocol === "https:")) {
    if (proxy.password !== "") registerSecret(decodeURIComponent(proxy.password));
    return proxy;
  }
  const shown = url.replace(/\/\/[^/]*@/, "//");
  throw new SoarError("CONFIG_INVALID", `unable to use the proxy '${shown}': it is not an http or https URL`, {
    hint: `Write for example 'http://proxy.internal:3128'; SOCKS is not spoken. Or go without a proxy: except the host of the endpoint, or choose otherwise for backups alone (${nameOf("proxy")}).`,
  });
}

/**
 * As curl and others read NO_PROXY: `*`, a host with everything below it (with or without a leading dot or `*.`), an address,
 * a network such as 10.0.0.0/8; each may end with a port.
 */
function isExcepted(entry: string, { protocol, hostname, port }: Target): boolean {
  const host = bare(hostname);
  const wanted = entry.trim().toLowerCase();
  if (wanted === "" || wanted === "*") return wanted === "*";
  const [, name = wanted, entryPort] = /^(\[[^\]]+\]|[^:]*):(\d+)$/.exec(wanted) ?? [];
  if (entryPort !== undefined && Number(entryPort) !== (port ?? (protocol === "http:" ? 80 : 443))) return false;
  const domain = bare(name).replace(/^\*?\./, "");
  if (isIP(host) > 0) return isWithin(domain, host);
  return domain !== "" && (host === domain || host.endsWith(`.${domain}`));
}

function isWithin(network: string, address: string): boolean {
  const [base = "", bits] = network.split("/");
  const family = isIP(base);
  if (family === 0 || family !== isIP(address)) return false;
  const largest = family === 4 ? 32 : 128;
  const prefix = bits === undefined ? largest : Number(bits);
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > largest) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(base, prefix, type);
  return list.check(address, type);
}

/** Lower case, without brackets and the dot of the root. */
function bare(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "");
}
