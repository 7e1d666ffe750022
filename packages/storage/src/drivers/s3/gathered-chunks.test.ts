import { once } from "node:events";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { gatheredChunks } from "./gathered-chunks.ts";

const BODY = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251));

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** The answer of a server that sends what it is told to. */
async function answerOf(send: (response: ServerResponse) => void): Promise<IncomingMessage> {
  const server = createServer((_, response) => send(response)).listen(0, "127.0.0.1");
  closing.push(() => server.close().closeAllConnections());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const request = get({ host: "127.0.0.1", port });
  const [answer] = (await once(request, "response")) as [IncomingMessage];
  // As in the transport, where the reader hears of a failure through the answer.
  request.on("error", () => undefined);
  return answer;
}

test("a body is one chunk in memory of its own", async () => {
  const answer = await answerOf((response) => response.end(BODY));
  const chunks: Uint8Array[] = [];
  for await (const chunk of gatheredChunks(answer, BODY.length)) chunks.push(chunk);
  expect(chunks).toHaveLength(1);
  expect(BODY.equals(chunks[0] ?? Buffer.alloc(0))).toBe(true);
  expect(chunks[0]?.buffer.byteLength).toBe(BODY.length);
  expect(answer.complete).toBe(true);
});

test("what has come of a slow body is given before the rest comes", async () => {
  let sending: ServerResponse | undefined;
  const answer = await answerOf((response) => {
    sending = response;
    response.writeHead(200, { "content-length": BODY.length }).write(BODY.subarray(0, 1000));
  });
  const chunks = gatheredChunks(answer, BODY.length);
  const first = await chunks.next();
  expect(BODY.subarray(0, 1000).equals(first.value ?? Buffer.alloc(0))).toBe(true);
  sending?.end(BODY.subarray(1000));
  const rest: Uint8Array[] = [];
  for await (const chunk of chunks) rest.push(chunk);
  expect(Buffer.concat(rest).equals(BODY.subarray(1000))).toBe(true);
});

test("what came before a connection breaks is given before the failure", async () => {
  const answer = await answerOf((response) => {
    response.writeHead(200, { "content-length": BODY.length });
    response.write(BODY.subarray(0, 1000), () => response.destroy());
  });
  const received: Uint8Array[] = [];
  const reading = (async () => {
    for await (const chunk of gatheredChunks(answer, BODY.length)) received.push(chunk);
  })();
  await expect(reading).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(Buffer.concat(received).equals(BODY.subarray(0, 1000))).toBe(true);
});

test("a body that broke before it is read fails like one that breaks meanwhile", async () => {
  const answer = await answerOf((response) => {
    response.writeHead(200, { "content-length": BODY.length });
    response.write(BODY.subarray(0, 1000), () => response.destroy());
  });
  await once(answer, "error");
  await expect(gatheredChunks(answer, BODY.length).next()).rejects.toMatchObject({ code: "ECONNRESET" });
});

test("a failure while the reader is busy is what the next chunk fails with", async () => {
  const answer = await answerOf(
    (response) => void response.writeHead(200, { "content-length": BODY.length }).write(BODY.subarray(0, 1000)),
  );
  const chunks = gatheredChunks(answer, BODY.length);
  await chunks.next();
  const silence = Object.assign(new Error("nothing was received"), { code: "IDLE_TIMEOUT" });
  answer.destroy(silence);
  await new Promise((resolve) => answer.once("close", resolve));
  await expect(chunks.next()).rejects.toBe(silence);
});

test.each([
  ["more", 299_990],
  ["fewer", 300_010],
])("a body that has %s bytes than announced elsewhere is given as it is", async (_, length) => {
  const answer = await answerOf((response) => response.end(BODY));
  const chunks: Uint8Array[] = [];
  for await (const chunk of gatheredChunks(answer, length)) chunks.push(chunk);
  expect(Buffer.concat(chunks).equals(BODY)).toBe(true);
});

test("a reader that stops gives the connection up", async () => {
  const answer = await answerOf(
    (response) => void response.writeHead(200, { "content-length": BODY.length }).write(BODY.subarray(0, 1000)),
  );
  for await (const chunk of gatheredChunks(answer, BODY.length)) {
    expect(chunk.byteLength).toBe(1000);
    break;
  }
  expect(answer.destroyed).toBe(true);
});
