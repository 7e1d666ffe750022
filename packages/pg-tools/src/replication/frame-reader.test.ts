import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { message } from "../../test/backend-frames.ts";
import { FrameReader } from "./frame-reader.ts";

/** Both ends of a real connection. */
async function connection(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const near = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [far] = (await once(server, "connection")) as [Socket];
  onTestFinished(() => {
    near.destroy();
    far.destroy();
    server.close();
  });
  return { near, far };
}

test("what was received before the end is read before the end is told", async () => {
  const { near, far } = await connection();
  const reader = new FrameReader(near);
  far.end(Buffer.concat([message("Z", Buffer.from("I")), message("N")]));
  await once(near, "close");
  expect(await reader.next()).toMatchObject({ type: 0x5a });
  expect(await reader.next()).toMatchObject({ type: 0x4e });
  await expect(reader.next()).rejects.toThrow("the server closed the connection");
});

test("a socket that had ended before anybody read from it does not keep its reader waiting", async () => {
  const { near, far } = await connection();
  near.resume();
  far.end();
  await once(near, "close");
  await expect(new FrameReader(near).next()).rejects.toThrow("the server closed the connection");
});

test("a reader that is given up forgets what it has not read", async () => {
  const { near, far } = await connection();
  const reader = new FrameReader(near);
  far.write(message("d", Buffer.alloc(100)));
  await expect.poll(() => reader.queuedBytes).toBe(100);
  reader.destroy(new Error("given up"));
  expect(reader.queuedBytes).toBe(0);
  await expect(reader.next()).rejects.toThrow("given up");
  await once(far.resume(), "close");
});
