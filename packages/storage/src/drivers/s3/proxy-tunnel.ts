import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent, type AgentOptions, request as httpsRequest, type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { nameOfProxy } from "../../proxy-choice.ts";

/** A failure on the way to the proxy, or its refusal; the endpoint was never spoken to. */
class ProxyFailure extends Error {
  override readonly name = "ProxyFailure";
  readonly code: "PROXY_UNREACHABLE" | "PROXY_REFUSED" | "PROXY_AUTHENTICATION";

  constructor(code: ProxyFailure["code"], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export interface TunnelOptions extends AgentOptions {
  /** For the way through the proxy and TLS behind it together. */
  readonly connectTimeoutMs: number;
}

type Connected = (error: Error | null, socket: Duplex) => void;

/** Connections with TLS to endpoints that a proxy is asked to connect to (CONNECT, RFC 9110 9.3.6). */
export class TunnelAgent extends Agent {
  readonly #proxy: URL;
  readonly #connectTimeoutMs: number;

  constructor(proxy: URL, { connectTimeoutMs, ...options }: TunnelOptions) {
    super(options);
    this.#proxy = proxy;
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  override createConnection(options: RequestOptions, connected?: Connected): undefined {
    void openTunnel(this.#proxy, options as ConnectionOptions, this.#connectTimeoutMs).then(
      (socket) => connected?.(null, socket),
      // Node takes an error alone, whatever its types say.
      (error: Error) => (connected as ((error: Error) => void) | undefined)?.(error),
    );
  }
}

/** What a request that goes to the proxy itself says of who asks. */
export function proxyHeaders({ username, password }: URL): Record<string, string> {
  if (username === "") return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(pair).toString("base64")}` };
}

/** Host and port to connect to for the proxy itself. */
export function proxyAddress({ hostname, port, protocol }: URL): { host: string; port: number } {
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port),
  };
}

/** What a request that goes to the proxy itself fails with: the way there is not the endpoint's. */
export function failureThrough(proxy: URL, error: unknown): unknown {
  const { syscall, code } = error as { readonly syscall?: string; readonly code?: string };
  const isOnTheWay = syscall === "connect" || syscall === "getaddrinfo" || code === "CONNECT_TIMEOUT";
  return isOnTheWay && error instanceof Error ? unreachable(proxy, error) : error;
}

function unreachable(proxy: URL, error: Error): ProxyFailure {
  return new ProxyFailure("PROXY_UNREACHABLE", `${nameOfProxy(proxy)} cannot be reached (${reasonOf(error)})`, error);
}

async function openTunnel(proxy: URL, options: ConnectionOptions, timeoutMs: number): Promise<TLSSocket> {
  const held: { asking?: ClientRequest; socket?: Duplex } = {};
  const { promise, reject } = Promise.withResolvers<never>();
  const late = `no connection through the proxy ${nameOfProxy(proxy)} within ${timeoutMs / 1000} s`;
  const timer = setTimeout(() => reject(new ProxyFailure("PROXY_UNREACHABLE", late)), timeoutMs);
  const tunnel = async (): Promise<TLSSocket> => {
    const socket = await askForTunnel(proxy, options, held);
    held.socket = socket;
    return await speakTls(socket, options);
  };
  try {
    return await Promise.race([tunnel(), promise]);
  } catch (error) {
    held.asking?.destroy();
    held.socket?.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function askForTunnel(
  proxy: URL,
  { host = "", port = 443, secureContext }: ConnectionOptions,
  held: { asking?: ClientRequest },
): Promise<Duplex> {
  const target = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const send = proxy.protocol === "https:" ? httpsRequest : httpRequest;
  const asking = send({
    ...proxyAddress(proxy),
    // A private authority may have signed for the proxy, too.
    ...(secureContext !== undefined && { secureContext }),
    method: "CONNECT",
    path: target,
    agent: false,
    headers: { host: target, ...proxyHeaders(proxy) },
  });
  held.asking = asking;
  return await new Promise((resolve, reject) => {
    asking.once("connect", (answer: IncomingMessage, socket: Duplex) => {
      if (answer.statusCode === 200) resolve(socket);
      else reject(refusalOf(proxy, target, answer));
    });
    // Some answer a CONNECT that they do not know like any other request.
    asking.once("response", (answer: IncomingMessage) => reject(refusalOf(proxy, target, answer)));
    asking.on("error", (error: Error) => reject(unreachable(proxy, error)));
    asking.end();
  });
}

function refusalOf(proxy: URL, target: string, { statusCode = 0, statusMessage = "" }: IncomingMessage): ProxyFailure {
  const said = `${nameOfProxy(proxy)} answered ${statusCode} ${statusMessage} for ${target}`;
  if (statusCode === 407) return new ProxyFailure("PROXY_AUTHENTICATION", said);
  return new ProxyFailure(statusCode >= 500 ? "PROXY_UNREACHABLE" : "PROXY_REFUSED", said);
}

async function speakTls(socket: Duplex, options: ConnectionOptions): Promise<TLSSocket> {
  const secured = connect({ ...options, socket });
  return await new Promise((resolve, reject) => {
    secured.once("error", reject);
    secured.once("secureConnect", () => {
      secured.off("error", reject);
      resolve(secured);
    });
  });
}

function reasonOf(error: Error): string {
  return "code" in error ? String(error.code) : error.message;
}
