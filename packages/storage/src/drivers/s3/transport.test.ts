import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createNetServer, type Server as NetServer } from "node:net";
import { createSecureContext, createServer as createTlsServer, type TlsOptions } from "node:tls";
import { createSelfSignedCertificate } from "@soar-tooling/s3-server";
import { afterEach, describe, expect, test } from "vitest";
import { createTransport, type Transport, type TransportOptions, type TransportRequest } from "./transport.ts";

const OPTIONS: TransportOptions = {
  connectTimeoutMs: 5000,
  idleTimeoutMs: 5000,
  requestTimeoutMs: 5000,
  maxConnections: 2,
  caPem: undefined,
};

const opened: { close(): void; closeAllConnections?: () => void }[] = [];
let transport: Transport = createTransport(OPTIONS);
afterEach(() => {
  transport.destroy();
  for (const server of opened.splice(0)) {
    server.close();
    server.closeAllConnections?.();
  }
});

async function listen(server: Pick<NetServer, "listen" | "address" | "close">): Promise<number> {
  opened.push(server);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

function requestTo(port: number, more: Partial<TransportRequest> = {}): TransportRequest {
  return { method: "PUT", protocol: "http:", hostname: "127.0.0.1", port, path: "/x", headers: {}, ...more };
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  for await (const chunk of body) text += chunk.toString();
  return text;
}

describe("a large body that waits for '100 Continue'", () => {
  const body = Buffer.alloc(3_000_000, 1);
  const headers = { expect: "100-continue", "content-length": String(body.byteLength) };

  test("is not sent when the server refuses before, and the refusal is the answer", async () => {
    const server = createServer();
    let received = 0;
    server.on("checkContinue", ((request, response) => {
      request.on("data", (chunk: Buffer) => (received += chunk.byteLength));
      response.writeHead(412, { "content-length": "5" }).end("taken");
    }) satisfies RequestListener);
    transport = createTransport(OPTIONS);
    const port = await listen(server);
    for (let round = 0; round < 3; round += 1) {
      const { response } = await transport.handle(requestTo(port, { headers, body }));
      expect(response.statusCode).toBe(412);
      expect(await textOf(response.body)).toBe("taken");
    }
    expect(received).toBe(0);
  });

  test("is sent when the server says so", async () => {
    const server = createServer((request, response) => {
      let received = 0;
      request
        .on("data", (chunk: Buffer) => (received += chunk.byteLength))
        .on("end", () => response.end(String(received)));
    });
    transport = createTransport(OPTIONS);
    const { response } = await transport.handle(requestTo(await listen(server), { headers, body }));
    expect(await textOf(response.body)).toBe("3000000");
  });

  test("is sent when the server never says so", async () => {
    const server = createServer();
    server.on("checkContinue", ((request, response) => {
      request.resume().on("end", () => response.end("late"));
    }) satisfies RequestListener);
    transport = createTransport(OPTIONS);
    const { response } = await transport.handle(requestTo(await listen(server), { headers, body }));
    expect(await textOf(response.body)).toBe("late");
  });
});

test.each([false, true])(
  "a body whose answer is there before it is, is sent to its end (with Expect: %s)",
  async (expectContinue) => {
    // A server that has every byte answers before this side hears that the last one left; this one answers at once.
    const received: number[] = [];
    const server = createServer();
    const answer: RequestListener = (request, response) => {
      let bytes = 0;
      request.on("data", (chunk: Buffer) => (bytes += chunk.byteLength)).on("end", () => received.push(bytes));
      response.writeHead(200, { "content-length": "0" }).end();
    };
    server.on("request", answer);
    server.on("checkContinue", (request, response) => {
      response.writeContinue();
      answer(request, response);
    });
    transport = createTransport(OPTIONS);
    const port = await listen(server);
    const body = Buffer.alloc(8 * 1024 * 1024, 1);
    const headers = { "content-length": String(body.byteLength) };
    for (let round = 0; round < 4; round += 1) {
      const { response } = await transport.handle(requestTo(port, { headers, body }), { expectContinue });
      expect(await textOf(response.body)).toBe("");
    }
    await expect.poll(() => received).toEqual([body.length, body.length, body.length, body.length]);
  },
);

test.each([
  ["nothing", "content-length: 0\r\n\r\n"],
  ["a word", "content-length: 4\r\n\r\ndone"],
])("a server that answers %s and then takes no more of the body is given up", async (_what, answer) => {
  const port = await listen(
    createNetServer((socket) => {
      socket
        .on("error", () => undefined)
        .once("data", () => {
          socket.pause().write(`HTTP/1.1 200 OK\r\n${answer}`);
        });
    }),
  );
  transport = createTransport({ ...OPTIONS, idleTimeoutMs: 200 });
  const body = Buffer.alloc(64 * 1024 * 1024, 1);
  const headers = { "content-length": String(body.byteLength) };
  await expect(transport.handle(requestTo(port, { headers, body }))).rejects.toMatchObject({ code: "IDLE_TIMEOUT" });
});

test("a body is sent no further once its refusal was read", async () => {
  const body = Buffer.alloc(64 * 1024 * 1024, 1);
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  let received = 0;
  let goOn = (): void => undefined;
  const port = await listen(
    createNetServer((socket) => {
      socket
        .on("error", () => undefined)
        .on("close", close)
        .once("data", () => {
          socket.pause().write("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy");
          goOn = () => void socket.on("data", (chunk: Buffer) => (received += chunk.byteLength)).resume();
        });
    }),
  );
  transport = createTransport(OPTIONS);
  const headers = { "content-length": String(body.byteLength) };
  const { response } = await transport.handle(requestTo(port, { headers, body }));
  expect(await textOf(response.body)).toBe("busy");
  goOn();
  await closed;
  expect(received).toBeLessThan(body.byteLength / 2);
});

test("a connection that is not made in time is given up", async () => {
  // Listens, but nobody takes connections off the full queue.
  const server = createNetServer({ pauseOnConnect: true });
  const port = await listen(server);
  transport = createTransport({ ...OPTIONS, connectTimeoutMs: 100, caPem: undefined });
  // TLS on a server that never says a word: connected, but not usable.
  const connecting = transport.handle(requestTo(port, { protocol: "https:" }));
  await expect(connecting).rejects.toMatchObject({ name: "TransportTimeout", code: "CONNECT_TIMEOUT" });
});

test("a request without an answer is given up", async () => {
  const server = createServer(() => undefined);
  transport = createTransport({ ...OPTIONS, idleTimeoutMs: 100 });
  await expect(transport.handle(requestTo(await listen(server)))).rejects.toMatchObject({ code: "IDLE_TIMEOUT" });
});

test("a request that waits for a free connection is within its own limit", async () => {
  const server = createServer(() => undefined);
  transport = createTransport({ ...OPTIONS, maxConnections: 1, requestTimeoutMs: 200 });
  const port = await listen(server);
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => transport.handle(requestTo(port))));
  for (const outcome of outcomes)
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "REQUEST_TIMEOUT" } });
});

test("an aborted signal ends a request before it begins, and a body in the middle", async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-length": "10" }).write("half");
  });
  transport = createTransport(OPTIONS);
  const port = await listen(server);
  await expect(transport.handle(requestTo(port), { abortSignal: AbortSignal.abort() })).rejects.toMatchObject({
    name: "AbortError",
  });
  const controller = new AbortController();
  const { response } = await transport.handle(requestTo(port), { abortSignal: controller.signal });
  controller.abort();
  await expect(textOf(response.body)).rejects.toMatchObject({ name: "AbortError" });
});

test.each([
  ["a stream", { body: {} }],
  ["aws-chunked encoding", { headers: { "Content-Encoding": "gzip,aws-chunked" } }],
  ["chunked transfer", { headers: { "transfer-encoding": "chunked" } }],
])("%s is refused as a bug: providers cut such bodies short or refuse them", async (_name, more) => {
  transport = createTransport(OPTIONS);
  await expect(transport.handle(requestTo(1, more))).rejects.toThrow("a body of unknown length");
});

test("queries are written the way they were signed", async () => {
  const server = createServer((request, response) => response.end(request.url));
  transport = createTransport(OPTIONS);
  const query = { uploads: null, "list-type": "2", prefix: "a b/+*'(ü)!", tag: ["1", "2"] };
  const { response } = await transport.handle(requestTo(await listen(server), { query }));
  expect(await textOf(response.body)).toBe(
    "/x?uploads&list-type=2&prefix=a%20b%2F%2B%2A%27%28%C3%BC%29%21&tag=1&tag=2",
  );
});

describe("bodies that are wanted whole", () => {
  test("ask below localhost for the certificate of the name, not of the machine", async () => {
    const { certPem: cert, keyPem: key } = createSelfSignedCertificate(Date.now());
    const names: string[] = [];
    const SNICallback: TlsOptions["SNICallback"] = (name, done) => {
      names.push(name);
      done(null, createSecureContext({ cert, key }));
    };
    const port = await listen(
      createTlsServer(
        { cert, key, SNICallback },
        (socket) => void socket.on("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")),
      ),
    );
    transport = createTransport({ ...OPTIONS, caPem: cert });
    const request = requestTo(port, {
      method: "GET",
      protocol: "https:",
      hostname: "bucket.localhost",
      headers: { host: `bucket.localhost:${port}` },
    });
    // Its wildcard is refused, in both cases by the name that was asked for.
    for (const whole of [true, false])
      await expect(transport.handle(request, { whole })).rejects.toMatchObject({ host: "bucket.localhost" });
    expect(names).toEqual(["bucket.localhost", "bucket.localhost"]);
  });

  test("are left to Node's client, whose connections are kept, once a server has refused one", async () => {
    let connections = 0;
    const server = createServer((_, response) => response.writeHead(404, { "content-length": "4" }).end("none"));
    const port = await listen(server.on("connection", () => (connections += 1)));
    transport = createTransport(OPTIONS);
    for (let round = 0; round < 5; round += 1) {
      const { response } = await transport.handle(requestTo(port, { method: "GET" }), { whole: true });
      expect(await textOf(response.body)).toBe("none");
    }
    expect(connections).toBe(2);
  });
});
