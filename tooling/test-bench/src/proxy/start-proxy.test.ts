import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { startProxy, type ProxyOptions, type TestProxy } from "./start-proxy.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const item of open.splice(0).toReversed()) await item.close();
});

/** A target that answers every byte with the same byte. */
async function startEcho(): Promise<{ port: number; accepted: Socket[] }> {
  const accepted: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket);
    socket.on("error", () => undefined).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push({ close: () => (accepted.forEach((socket) => socket.destroy()), server.close()) });
  const address = server.address();
  return { port: typeof address === "object" && address !== null ? address.port : 0, accepted };
}

async function startEchoProxy(options: Omit<ProxyOptions, "target"> = {}): Promise<TestProxy & { accepted: Socket[] }> {
  const { port, accepted } = await startEcho();
  const proxy = await startProxy({ ...options, target: { port } });
  open.push(proxy);
  return { ...proxy, accepted };
}

interface Client {
  readonly socket: Socket;
  /** Resolves when that many bytes have come back. */
  received(bytes: number): Promise<Buffer>;
  /** How the connection ends: an error's code, or `end`. */
  readonly end: Promise<string>;
}

async function openClient({ port }: { port: number }): Promise<Client> {
  const socket = connect(port, "127.0.0.1");
  open.push({ close: () => socket.destroy() });
  let data = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    data = Buffer.concat([data, chunk]);
    socket.emit("progress");
  });
  const end = new Promise<string>((resolve) => {
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "error"));
    socket.once("end", () => resolve("end"));
  });
  await Promise.race([once(socket, "connect"), end]);
  return {
    socket,
    end,
    async received(bytes) {
      while (data.length < bytes) await once(socket, "progress");
      return data;
    },
  };
}

describe("startProxy", () => {
  test("carries bytes both ways and logs them", async () => {
    const proxy = await startEchoProxy();
    const client = await openClient(proxy);
    const sent = Buffer.alloc(300_000, "soar");
    client.socket.end(sent);
    expect((await client.received(sent.length)).equals(sent)).toBe(true);
    expect(await client.end).toBe("end");
    client.socket.destroy();
    expect(proxy.connections).toEqual([
      { number: 1, bytesToTarget: sent.length, bytesToClient: sent.length, outcome: "ended" },
    ]);
  });

  test.each([0, 1, 1000, 70_000])("cuts after exactly %i bytes to the target", async (afterBytes) => {
    const proxy = await startEchoProxy({
      rules: [{ direction: "to-target", impairment: { type: "cut", afterBytes } }],
    });
    const client = await openClient(proxy);
    client.socket.write(Buffer.alloc(200_000));
    expect(await client.end).toMatch(/ECONNRESET|EPIPE/);
    expect(proxy.connections[0]).toMatchObject({ bytesToTarget: afterBytes, outcome: "cut" });
  });

  test("cuts after exactly so many bytes to the client", async () => {
    const proxy = await startEchoProxy({
      rules: [{ direction: "to-client", impairment: { type: "cut", afterBytes: 1234 } }],
    });
    const client = await openClient(proxy);
    client.socket.write(Buffer.alloc(5000));
    expect(await client.end).toBe("ECONNRESET");
    expect(proxy.connections[0]).toMatchObject({ bytesToClient: 1234, outcome: "cut" });
  });

  test("ends politely after so many bytes", async () => {
    const proxy = await startEchoProxy({
      rules: [{ direction: "to-client", impairment: { type: "end", afterBytes: 10 } }],
    });
    const client = await openClient(proxy);
    client.socket.write(Buffer.alloc(100));
    expect((await client.received(10)).length).toBe(10);
    expect(await client.end).toBe("end");
  });

  test("meets only the k-th connection", async () => {
    const proxy = await startEchoProxy({ rules: [{ connection: 2, impairment: { type: "cut", afterBytes: 0 } }] });
    const [first, second] = [await openClient(proxy), await openClient(proxy)];
    expect(await second.end).toBe("ECONNRESET");
    first.socket.write("alive");
    expect((await first.received(5)).toString()).toBe("alive");
  });

  test("meets only so many connections", async () => {
    const proxy = await startEchoProxy();
    const rule = proxy.impair({ times: 1, impairment: { type: "cut", afterBytes: 0 } });
    expect(await (await openClient(proxy)).end).toBe("ECONNRESET");
    const second = await openClient(proxy);
    second.socket.write("alive");
    expect((await second.received(5)).toString()).toBe("alive");
    expect(rule.hits).toBe(1);
  });

  test("cuts an idle connection at once when the rule comes later", async () => {
    const proxy = await startEchoProxy();
    const client = await openClient(proxy);
    client.socket.write("hello");
    await client.received(5);
    proxy.impair({ impairment: { type: "cut", afterBytes: 0 } });
    expect(await client.end).toBe("ECONNRESET");
  });

  test("stalls until it is healed and loses nothing", async () => {
    const proxy = await startEchoProxy();
    const client = await openClient(proxy);
    const stall = proxy.impair({ direction: "to-target", impairment: { type: "stall", afterBytes: 3 } });
    client.socket.write("abcdef");
    await stall.firstHit;
    expect((await client.received(3)).toString()).toBe("abc");
    expect(proxy.connections[0]?.bytesToTarget).toBe(3);
    proxy.heal();
    expect((await client.received(6)).toString()).toBe("abcdef");
  });

  test("slows down to a rate", async () => {
    const proxy = await startEchoProxy({
      rules: [{ direction: "to-client", impairment: { type: "slow", bytesPerSecond: 100_000 } }],
    });
    const client = await openClient(proxy);
    const start = performance.now();
    client.socket.write(Buffer.alloc(20_000));
    await client.received(20_000);
    expect(performance.now() - start).toBeGreaterThan(140);
  });

  test("flips one bit of one byte", async () => {
    const proxy = await startEchoProxy({
      rules: [{ direction: "to-client", impairment: { type: "corrupt", atByte: 2 } }],
    });
    const client = await openClient(proxy);
    client.socket.write(Buffer.from([1, 2, 4, 8]));
    expect([...(await client.received(4))]).toEqual([1, 2, 5, 8]);
  });

  test("refuses connections before the target hears of them", async () => {
    const proxy = await startEchoProxy({ rules: [{ impairment: { type: "refuse" } }] });
    expect(await (await openClient(proxy)).end).toBe("ECONNRESET");
    expect(proxy.connections[0]?.outcome).toBe("refused");
    expect(proxy.accepted).toHaveLength(0);
    proxy.heal();
    const client = await openClient(proxy);
    client.socket.write("x");
    await client.received(1);
  });

  test("closes its port and opens it again", async () => {
    const proxy = await startEchoProxy();
    await proxy.stopListening();
    expect(await (await openClient(proxy)).end).toBe("ECONNREFUSED");
    await proxy.resumeListening();
    const client = await openClient(proxy);
    client.socket.write("back");
    expect((await client.received(4)).toString()).toBe("back");
  });

  test("resets the client when the target cannot be reached, and follows it elsewhere", async () => {
    const gone = await startProxy({ target: { port: 1 } });
    open.push(gone);
    expect(await (await openClient(gone)).end).toBe("ECONNRESET");
    expect(gone.connections[0]?.outcome).toBe("failed");
    gone.retarget({ port: (await startEcho()).port });
    const client = await openClient(gone);
    client.socket.write("found");
    expect((await client.received(5)).toString()).toBe("found");
  });

  test("passes a reset of the target on", async () => {
    const proxy = await startEchoProxy();
    const client = await openClient(proxy);
    client.socket.write("x");
    await client.received(1);
    proxy.accepted[0]?.resetAndDestroy();
    expect(await client.end).toBe("ECONNRESET");
  });

  test("cutAll resets what is open", async () => {
    const proxy = await startEchoProxy();
    const client = await openClient(proxy);
    client.socket.write("x");
    await client.received(1);
    proxy.cutAll();
    expect(await client.end).toBe("ECONNRESET");
  });
});
