import { once } from "node:events";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createNetServer, type Server as NetServer, type Socket } from "node:net";
import { createSecureContext, createServer as createTlsSocketServer } from "node:tls";
import { createSelfSignedCertificate } from "@soar-tooling/s3-server";
import { afterEach, describe, expect, test } from "vitest";
import { DirectBody } from "./direct-body.ts";
import { DirectGets, type DirectGetsOptions } from "./direct-gets.ts";
import type { TransportResponse } from "./transport-response.ts";

const TIMES = { connectTimeoutMs: 5000, idleTimeoutMs: 5000, requestTimeoutMs: 5000 };
const BODY = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251));
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

function open(options: Partial<DirectGetsOptions> = {}): DirectGets {
  const gets = new DirectGets({ ...TIMES, maxConnections: 2, ...options });
  closing.push(() => gets.destroy());
  return gets;
}

async function listen(server: NetServer): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => undefined)));
  closing.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A server that does what is told with each request on each connection; both are counted from 1. */
async function startScripted(act: (socket: Socket, request: number, connection: number) => void): Promise<number> {
  let requests = 0;
  let connections = 0;
  return await listen(
    createNetServer((socket) => {
      const connection = (connections += 1);
      socket.on("data", () => act(socket, (requests += 1), connection));
    }),
  );
}

const head = (length: number, more = ""): string => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n${more}\r\n`;

async function get(gets: DirectGets, port: number, signal?: AbortSignal): Promise<TransportResponse> {
  const peer = { protocol: "http:", host: "127.0.0.1", port, servername: "", secureContext: undefined };
  return await gets.get({ ...peer, path: "/x", headers: {} }, signal);
}

async function chunksOf({ body }: TransportResponse): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return chunks;
}

test("bodies are single chunks in memory of their own, and connections are kept", async () => {
  let connections = 0;
  const server = createServer((_, response) => response.writeHead(206, { "content-length": BODY.length }).end(BODY));
  server.on("connection", () => (connections += 1));
  const port = await listen(server);
  const gets = open();
  for (let round = 0; round < 3; round += 1) {
    const chunks = await chunksOf(await get(gets, port));
    expect(chunks.map(({ buffer }) => buffer.byteLength)).toEqual([BODY.length]);
    expect(BODY.equals(chunks[0] ?? Buffer.alloc(0))).toBe(true);
  }
  expect(connections).toBe(1);
});

test("TLS writes into the same memory, and a certificate that nobody vouches for ends it", async () => {
  const { certPem: cert, keyPem: key } = createSelfSignedCertificate(Date.now());
  const port = await listen(
    createTlsServer({ cert, key }, (_, response) =>
      response.writeHead(200, { "content-length": BODY.length }).end(BODY),
    ),
  );
  const peer = { protocol: "https:", host: "127.0.0.1", port, servername: "", path: "/x", headers: {} };
  const trusted = { ...peer, secureContext: createSecureContext({ ca: cert }) };
  expect(Buffer.concat(await chunksOf(await open().get(trusted, undefined))).equals(BODY)).toBe(true);
  await expect(open().get({ ...peer, secureContext: undefined }, undefined)).rejects.toMatchObject({
    code: "DEPTH_ZERO_SELF_SIGNED_CERT",
  });
});

test("a head that comes byte by byte, with the body's beginning behind it, is put together", async () => {
  const port = await startScripted((socket) => {
    const bytes = Buffer.concat([Buffer.from(head(3)), Buffer.from("abc")]);
    socket.setNoDelay(true);
    const send = (at: number): void => {
      if (at < bytes.length) socket.write(bytes.subarray(at, at + 7), () => setImmediate(send, at + 7));
    };
    send(0);
  });
  expect(String(Buffer.concat(await chunksOf(await get(open(), port))))).toBe("abc");
});

test.each<[string, number, RequestListener]>([
  ["a refusal", 404, (_, response) => response.writeHead(404, { "content-length": "4" }).end("none")],
  ["a refusal in chunks", 503, (_, response) => void response.writeHead(503).write("no", () => response.end("ne"))],
  ["a body in chunks", 200, (_, response) => void response.writeHead(200).write("no", () => response.end("ne"))],
  [
    "early hints",
    200,
    (_, response) => {
      response.writeEarlyHints({ link: "</x>" });
      response.writeHead(200, { "content-length": "4" }).end("none");
    },
  ],
])("%s comes as from Node's own client", async (_what, status, listener) => {
  const gets = open();
  const port = await listen(createServer(listener));
  for (let round = 0; round < 3; round += 1) {
    const response = await get(gets, port);
    expect(response.statusCode).toBe(status);
    expect(response.body).not.toBeInstanceOf(DirectBody);
    expect(String(Buffer.concat(await chunksOf(response)))).toBe("none");
  }
});

test("a body that ends with its connection is read to that end", async () => {
  const port = await startScripted((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nto the end"));
  expect(String(Buffer.concat(await chunksOf(await get(open(), port))))).toBe("to the end");
});

test("an empty body has no chunk", async () => {
  const port = await startScripted((socket) => socket.write(head(0)));
  expect(await chunksOf(await get(open(), port))).toEqual([]);
});

test("what is no HTTP is told as such", async () => {
  const port = await startScripted((socket) => socket.write("SSH-2.0-OpenSSH_9.6\r\n"));
  await expect(get(open(), port)).rejects.toMatchObject({ code: "HPE_INVALID_CONSTANT" });
});

test("what has come of a slow body is given before the rest comes", async () => {
  let sending: Socket | undefined;
  const port = await startScripted((socket) => {
    sending = socket;
    socket.write(head(BODY.length));
    socket.write(BODY.subarray(0, 1000));
  });
  const { body } = await get(open(), port);
  const chunks = body[Symbol.asyncIterator]();
  expect(BODY.subarray(0, 1000).equals((await chunks.next()).value as Buffer)).toBe(true);
  sending?.write(BODY.subarray(1000));
  expect(BODY.subarray(1000).equals((await chunks.next()).value as Buffer)).toBe(true);
  expect((await chunks.next()).done).toBe(true);
});

test("what came before a connection breaks is given before the failure", async () => {
  const port = await startScripted((socket) => {
    socket.write(head(BODY.length));
    socket.end(BODY.subarray(0, 1000));
  });
  const received: Buffer[] = [];
  const { body } = await get(open(), port);
  const reading = (async () => {
    for await (const chunk of body) received.push(chunk as Buffer);
  })();
  await expect(reading).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(Buffer.concat(received).equals(BODY.subarray(0, 1000))).toBe(true);
});

test("a kept connection that the server gives up on the next request is replaced once, a new one is not", async () => {
  const port = await startScripted((socket, request, connection) => {
    if (connection === 3 || request === 2) socket.destroy();
    else socket.write(`${head(1)}a`);
  });
  const gets = open();
  for (let round = 0; round < 2; round += 1) expect(String((await chunksOf(await get(gets, port)))[0])).toBe("a");
  await expect(get(open(), port)).rejects.toMatchObject({ code: "ECONNRESET" });
});

test.each([
  ["that says so", head(1, "Connection: close\r\n"), "a"],
  ["that sends more than it announced", head(1), "abc"],
])("the connection of a server %s is not used again", async (_what, first, body) => {
  const port = await startScripted((socket, _request, connection) => {
    socket.write(connection === 1 ? `${first}${body}` : `${head(1)}b`);
  });
  const gets = open();
  expect(String((await chunksOf(await get(gets, port)))[0])).toBe("a");
  expect(String((await chunksOf(await get(gets, port)))[0])).toBe("b");
});

test.each([
  ["CONNECT_TIMEOUT", { connectTimeoutMs: 100 }, "https:", ""],
  ["IDLE_TIMEOUT", { idleTimeoutMs: 100 }, "http:", ""],
  ["REQUEST_TIMEOUT", { requestTimeoutMs: 100 }, "http:", ""],
  ["IDLE_TIMEOUT", { idleTimeoutMs: 100 }, "http:", "HTTP/1.1 503 Busy\r\n"],
])("a server that says nothing more is given up: %s", async (code, options, protocol, answer) => {
  const port = await startScripted((socket) => void (answer !== "" && socket.write(answer)));
  const request = {
    protocol,
    host: "127.0.0.1",
    port,
    servername: "",
    secureContext: undefined,
    path: "/x",
    headers: {},
  };
  await expect(open(options).get(request, undefined)).rejects.toMatchObject({ name: "TransportTimeout", code });
});

test("a silence within a body is what its reader hears of", async () => {
  const port = await startScripted((socket) => socket.write(`${head(10)}half`));
  const response = await get(open({ idleTimeoutMs: 100 }), port);
  await expect(chunksOf(response)).rejects.toMatchObject({ code: "IDLE_TIMEOUT" });
});

test("requests beyond the limit of connections wait, each within its own limit of time", async () => {
  const port = await startScripted(() => undefined);
  const gets = open({ maxConnections: 1, requestTimeoutMs: 200 });
  for (const outcome of await Promise.allSettled([1, 2, 3].map(() => get(gets, port))))
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "REQUEST_TIMEOUT" } });
  const server = createServer((_, response) => response.writeHead(200, { "content-length": "1" }).end("a"));
  const answering = await listen(server);
  const answers = await Promise.all([1, 2, 3].map(async () => await chunksOf(await get(gets, answering))));
  expect(answers.map(([chunk]) => String(chunk))).toEqual(["a", "a", "a"]);
});

test("an aborted signal ends a request before it begins, while it waits, and a body in the middle", async () => {
  const port = await startScripted((socket, request) => socket.write(`${head(4)}${request === 1 ? "fu" : "full"}`));
  const gets = open({ maxConnections: 1 });
  await expect(get(gets, port, AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
  const [first, second] = [new AbortController(), new AbortController()];
  const response = await get(gets, port, first.signal);
  const waiting = get(gets, port, second.signal);
  second.abort();
  await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  first.abort();
  await expect(chunksOf(response)).rejects.toMatchObject({ name: "AbortError" });
  expect(String((await chunksOf(await get(gets, port)))[0])).toBe("full");
});

test("a reader that stops gives the connection up", async () => {
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const port = await startScripted((socket) => socket.on("close", close).write(`${head(10)}half`));
  for await (const chunk of (await get(open(), port)).body) {
    expect(String(chunk)).toBe("half");
    break;
  }
  await closed;
});

test.each([
  ["a path with a space", { path: "/a b" }],
  ["a header with a line break", { headers: { range: "bytes=0-1\r\nx: y" } }],
])("%s is refused as a bug", async (_what, more) => {
  const request = {
    protocol: "http:",
    host: "127.0.0.1",
    port: 1,
    servername: "",
    secureContext: undefined,
    path: "/",
    headers: {},
  };
  await expect(open().get({ ...request, ...more }, undefined)).rejects.toThrow(TypeError);
});

describe.each(["http:", "https:"])("what a server sends behind the end of an answer (%s)", (protocol) => {
  const surplus = Buffer.from(`${head(6)}POISON`);

  test.each(["is asked for afterwards", "waits for its turn"])("answers no request that %s", async (when) => {
    const { certPem: cert, keyPem: key } = createSelfSignedCertificate(Date.now());
    const answer = (socket: Socket): void =>
      void socket
        .on("error", () => undefined)
        .on("data", (request) => {
          const isFirst = String(request).startsWith("GET /first ");
          socket.write(isFirst ? Buffer.concat([Buffer.from(head(BODY.length)), BODY, surplus]) : `${head(4)}real`);
        });
    const port = await listen(
      protocol === "http:" ? createNetServer(answer) : createTlsSocketServer({ cert, key }, answer),
    );
    const gets = open({ maxConnections: 1 });
    const secureContext = createSecureContext({ ca: cert });
    const ask = async (path: string): Promise<Buffer> =>
      Buffer.concat(
        await chunksOf(
          await gets.get(
            { protocol, host: "127.0.0.1", port, servername: "", secureContext, path, headers: {} },
            undefined,
          ),
        ),
      );
    for (let round = 0; round < 10; round += 1) {
      const first = ask("/first");
      const waiting = when === "waits for its turn" ? ask("/second") : undefined;
      expect(BODY.equals(await first)).toBe(true);
      expect(String(await (waiting ?? ask("/second")))).toBe("real");
    }
  });
});

test("a connection that cannot even be tried takes no other's place", async () => {
  const gets = open({ maxConnections: 1 });
  for (let round = 0; round < 2; round += 1)
    await expect(get(gets, 65_536)).rejects.toMatchObject({ code: "ERR_SOCKET_BAD_PORT" });
  const port = await startScripted((socket) => socket.write(`${head(1)}a`));
  expect(String((await chunksOf(await get(gets, port)))[0])).toBe("a");
});

test("closing ends what waits, what is asked and what is kept", async () => {
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const port = await startScripted((socket, request) => {
    socket.on("close", close);
    if (request === 1) socket.write(`${head(1)}a`);
  });
  const gets = open({ maxConnections: 1 });
  await chunksOf(await get(gets, port));
  gets.destroy();
  await closed;
  const outcomes = Promise.allSettled([get(gets, port), get(gets, port)]);
  gets.destroy();
  for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { code: "ECONNRESET" } });
});

test("kept connections are closed before the server does it, by what it says", async () => {
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const port = await startScripted((socket) => {
    socket.on("close", close).write(`${head(1, "Keep-Alive: timeout=2\r\n")}a`);
  });
  expect(String((await chunksOf(await get(open(), port)))[0])).toBe("a");
  await closed;
});

test.each<[string, string, (socket: Socket) => void]>([
  ["falls silent", "IDLE_TIMEOUT", () => undefined],
  ["is lost", "", (socket) => socket.destroy()],
])("where a kept connection %s, the others are not tried one by one", async (_what, code, end) => {
  const used = new Set<Socket>();
  const closed: Promise<unknown>[] = [];
  let ended = 0;
  const port = await startScripted((socket) => {
    if (used.has(socket)) {
      ended += 1;
      end(socket);
    } else {
      used.add(socket);
      if (used.size <= 6) closed.push(once(socket, "close"));
      if (used.size < 6) return;
      for (const other of used) if (used.size === 6 || other === socket) other.write(`${head(1)}a`);
    }
  });
  const gets = open({ maxConnections: 6, idleTimeoutMs: 500 });
  const ask = async (): Promise<string> => String((await chunksOf(await get(gets, port)))[0]);
  await Promise.all([1, 2, 3, 4, 5, 6].map(ask));
  if (code !== "") await expect(ask()).rejects.toMatchObject({ code });
  expect(await ask()).toBe("a");
  expect(ended).toBe(1);
  await Promise.all(closed);
});

test("a reader that takes its time is no silence, and makes the server wait", async () => {
  const bytes = Buffer.alloc(32 * 1024 ** 2, 1);
  let answer: ServerResponse | undefined;
  const port = await listen(createServer((_, response) => (answer = response.writeHead(203)).end(bytes)));
  const { body } = await get(open({ idleTimeoutMs: 500, requestTimeoutMs: 1000 }), port);
  const chunks = body[Symbol.asyncIterator]();
  let length = ((await chunks.next()).value as Buffer).length;
  // Longer than all limits of time.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(answer?.writableFinished).toBe(false);
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
    length += (next.value as Buffer).length;
  expect(length).toBe(bytes.length);
});

test("a connection after one that was closed resumes its session of TLS", async () => {
  const { certPem: cert, keyPem: key } = createSelfSignedCertificate(Date.now());
  const resumed: boolean[] = [];
  const port = await listen(
    createTlsSocketServer({ cert, key }, (socket) => {
      resumed.push(socket.isSessionReused());
      socket
        .on("error", () => undefined)
        .on("data", () => socket.write("HTTP/1.1 404 None\r\nContent-Length: 4\r\n\r\nnone"));
    }),
  );
  const gets = open();
  const secureContext = createSecureContext({ ca: cert });
  const peer = { protocol: "https:", host: "127.0.0.1", port, servername: "", secureContext };
  for (let round = 0; round < 2; round += 1)
    await chunksOf(await gets.get({ ...peer, path: "/", headers: {} }, undefined));
  expect(resumed).toEqual([false, true]);
  expect(gets.suits(peer)).toBe(false);
  expect(gets.suits({ ...peer, servername: "other" })).toBe(true);
});
