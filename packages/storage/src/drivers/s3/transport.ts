import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { createSecureContext, getCACertificates } from "node:tls";
import type { ProxyChoice } from "../../proxy-choice.ts";
import type { Peer } from "./direct-connection.ts";
import { DirectGets } from "./direct-gets.ts";
import { escapeUri } from "./escape-uri.ts";
import { failureThrough, proxyAddress, proxyHeaders, TunnelAgent } from "./proxy-tunnel.ts";
import { bodySent, sendBody } from "./send-body.ts";
import { endExchange, watchTimes } from "./timeouts.ts";
import type { TransportCall } from "./transport-call.ts";
import { joinHeaders, type TransportResponse } from "./transport-response.ts";

export interface TransportOptions {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** At once; as many again for bodies that are wanted whole. */
  readonly maxConnections: number;
  readonly caPem: string | undefined;
  /** The proxy on the way to a host; none unless told. */
  readonly proxyFor?: ProxyChoice | undefined;
}

export interface TransportRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[] | null>> | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** What the SDK calls a request handler. */
export interface Transport {
  readonly metadata: { readonly handlerProtocol: string };
  handle(request: TransportRequest, call?: TransportCall): Promise<{ response: TransportResponse }>;
  destroy(): void;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): Record<string, never>;
}

const SDK_HANDLER = {
  metadata: { handlerProtocol: "http/1.1" },
  updateHttpClientConfig() {},
  httpHandlerConfigs: () => ({}),
};

/**
 * HTTP for the SDK, in place of its own handler, because that one has no timeout unless told, only warns about some, and
 * takes a slow reader for a dead server. Bodies are buffers with an exact Content-Length; a chunked one is a bug here.
 */
export function createTransport(options: TransportOptions): Transport {
  const agentOptions = { keepAlive: true, maxSockets: options.maxConnections, scheduling: "lifo" } as const;
  const http = new HttpAgent(agentOptions);
  // `ca` replaces the usual certificates, so these are named too, including those of NODE_EXTRA_CA_CERTS.
  const ca = options.caPem === undefined ? undefined : [...getCACertificates("default"), options.caPem];
  // Read once: as a list they would be read for each connection, and joined to the agent's name of the host for each request.
  const secureContext = ca === undefined ? undefined : createSecureContext({ ca });
  const https = new HttpsAgent({ ...agentOptions, secureContext });
  const direct = new DirectGets(options);
  const tunnels = new Map<string, TunnelAgent>();
  const tunnelThrough = (proxy: URL): TunnelAgent => {
    const { connectTimeoutMs } = options;
    const tunnel =
      tunnels.get(proxy.href) ?? new TunnelAgent(proxy, { ...agentOptions, secureContext, connectTimeoutMs });
    tunnels.set(proxy.href, tunnel);
    return tunnel;
  };
  return {
    ...SDK_HANDLER,
    handle: async (request, call = {}) => {
      const body = requireBuffer(request);
      const { method, protocol } = request;
      const path = request.path + formatQuery(request.query);
      const headers = call.expectContinue === true ? { ...request.headers, expect: "100-continue" } : request.headers;
      const proxy = options.proxyFor?.(request);
      if (call.whole === true && method === "GET" && proxy === undefined && body.byteLength === 0) {
        const peer = { ...peerOf(request), secureContext };
        const signal = call.abortSignal instanceof AbortSignal ? call.abortSignal : undefined;
        if (direct.suits(peer)) return { response: await direct.get({ ...peer, path, headers }, signal) };
      }
      const outgoing =
        proxy !== undefined && protocol === "http:"
          ? sendToProxy(
              proxy,
              { method, path: absolute(request, path), headers },
              proxy.protocol === "http:" ? http : https,
            )
          : (protocol === "http:" ? httpRequest : httpsRequest)({
              agent: protocol === "http:" ? http : proxy === undefined ? https : tunnelThrough(proxy),
              host: hostToConnect(request.hostname),
              port: request.port,
              method,
              path,
              headers,
            });
      try {
        return { response: await exchange(outgoing, body, call, options) };
      } catch (error) {
        throw proxy !== undefined && protocol === "http:" ? failureThrough(proxy, error) : error;
      }
    },
    destroy() {
      http.destroy();
      https.destroy();
      direct.destroy();
      for (const tunnel of tunnels.values()) tunnel.destroy();
    },
  };
}

/** Without TLS the proxy gets the request itself, with the whole address. */
function sendToProxy(
  proxy: URL,
  { headers, ...request }: { method: string; path: string; headers: Readonly<Record<string, string>> },
  agent: HttpAgent,
): ClientRequest {
  const send = proxy.protocol === "http:" ? httpRequest : httpsRequest;
  return send({ ...request, ...proxyAddress(proxy), agent, headers: { ...headers, ...proxyHeaders(proxy) } });
}

function absolute({ hostname, port }: TransportRequest, path: string): string {
  return `http://${hostname}${port === undefined ? "" : `:${port}`}${path}`;
}

/** The certificate is given to the name that was asked for, whichever machine it means. */
function peerOf({ protocol, hostname, port }: TransportRequest): Omit<Peer, "secureContext"> {
  const name = hostname.replace(/^\[(.*)\]$/, "$1");
  return { protocol, host: hostToConnect(hostname), port, servername: isIP(name) === 0 ? name : "" };
}

/** Names below `localhost` mean this machine (RFC 6761), which not every resolver knows; IPv6 comes in brackets. */
function hostToConnect(hostname: string): string {
  return hostname.endsWith(".localhost") ? "localhost" : hostname.replace(/^\[(.*)\]$/, "$1");
}

function requireBuffer(request: TransportRequest): Uint8Array {
  const { body, headers } = request;
  const bytes =
    body === undefined || body === null ? new Uint8Array() : typeof body === "string" ? Buffer.from(body) : body;
  const chunked = Object.entries(headers).some(
    ([name, value]) => /^(?:transfer|content)-encoding$/i.test(name) && value.includes("chunked"),
  );
  if (bytes instanceof Uint8Array && !chunked) return bytes;
  throw new TypeError("a request to S3 has a body of unknown length, which many providers refuse or cut short");
}

async function exchange(
  outgoing: ClientRequest,
  body: Uint8Array,
  call: TransportCall,
  options: TransportOptions,
): Promise<TransportResponse> {
  const signal = call.abortSignal instanceof AbortSignal ? call.abortSignal : undefined;
  const heard: { answer?: IncomingMessage } = {};
  const stop = (): void => endExchange(outgoing, heard.answer, new DOMException("the call was aborted", "AbortError"));
  signal?.addEventListener("abort", stop, { once: true });
  outgoing.once("close", () => signal?.removeEventListener("abort", stop));
  if (signal?.aborted) stop();
  const times = watchTimes(outgoing, options);
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    // Stays for the life of the request: an error behind the answer reaches the reader through the body.
    outgoing.on("error", reject);
    sendBody(outgoing, body, call);
  });
  heard.answer = incoming;
  times.answered(incoming);
  // Who is told that a body is stored may give its memory away.
  if ((incoming.statusCode ?? 0) < 300) await bodySent(outgoing);
  else endWithAnswer(outgoing, incoming);
  // What failed meanwhile nobody heard: the SDK would wait for ever for the end of a body that is gone.
  if (incoming.errored !== null) throw incoming.errored;
  times.handedOut();
  return {
    statusCode: incoming.statusCode ?? 0,
    reason: incoming.statusMessage,
    headers: joinHeaders(incoming),
    body: incoming,
  };
}

/** Whoever has read a refusal may give the body's memory away, too: what was not sent by then is not sent. */
function endWithAnswer(outgoing: ClientRequest, incoming: IncomingMessage): void {
  const end = (): void => {
    if (!outgoing.writableFinished) outgoing.destroy();
  };
  incoming.once("end", end).once("close", end);
}

/** As the signature was computed: RFC 3986, sorted the way they were given. */
function formatQuery(query: TransportRequest["query"]): string {
  const pairs = Object.entries(query ?? {}).flatMap(([name, value]) => {
    if (value === null) return [escapeUri(name)];
    return [value].flat().map((item) => `${escapeUri(name)}=${escapeUri(item)}`);
  });
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}
