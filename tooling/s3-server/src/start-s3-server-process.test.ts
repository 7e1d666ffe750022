import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseArguments } from "./parse-arguments.ts";
import { createS3TestClient } from "./s3-test-client.ts";
import { startS3Server } from "./start-s3-server.ts";
import { startS3ServerProcess } from "./start-s3-server-process.ts";

test("a server in a process of its own is used, made to fail, asked and ended from here", async () => {
  const directory = await mkdtemp(join(tmpdir(), "soar-s3-"));
  const server = await startS3ServerProcess({ profile: "minio", bucket: ["one", "two"], directory });
  const client = createS3TestClient(server);
  try {
    expect(server.bucket).toBe("one");
    expect((await client.send({ method: "PUT", key: "k", body: "x" })).status).toBe(200);
    expect((await client.send({ method: "PUT", bucket: "two", key: "k", body: "x" })).status).toBe(200);
    const fault = await server.inject({ key: /^k$/, fault: { type: "busy" } });
    expect((await client.send({ method: "GET", key: "k" })).errorCode).toBe("SlowDownWrite");
    expect(await fault.hits()).toBe(1);
    await server.inject({ times: "always", fault: { type: "error" } });
    await server.clearFaults();
    expect((await client.send({ method: "GET", key: "k" })).text).toBe("x");
    expect(await server.counts()).toEqual({ PutObject: 2, GetObject: 2 });
    expect((await server.requests(2)).map(({ status }) => status)).toEqual([503, 200]);
    await server.change({ clockOffsetMs: 3600_000 });
    expect((await client.send({ method: "GET", key: "k" })).errorCode).toBe("RequestTimeTooSkewed");
  } finally {
    client.close();
    await server.close();
  }
  expect(await readdir(directory)).toEqual([]);
  await rm(directory, { recursive: true });
});

test("a stalled request of another process is released from here", async () => {
  const server = await startS3ServerProcess();
  const client = createS3TestClient(server);
  const stall = await server.inject({ times: "always", fault: { type: "stall" } });
  const waiting = client.send({ method: "GET", key: "k" });
  while ((await stall.hits()) === 0);
  await stall.release();
  expect((await waiting).errorCode).toBe("NoSuchKey");
  client.close();
  await server.kill();
});

test("a process that cannot start says why", async () => {
  await expect(startS3ServerProcess({ bucket: "Not A Bucket" })).rejects.toThrowError(/not a bucket name/);
});

test("https with a certificate of its own", async () => {
  const server = await startS3Server({ tls: true });
  const client = createS3TestClient(server);
  expect(server.endpoint).toMatch(/^https:/);
  expect((await client.send({ method: "PUT", key: "k", body: "x".repeat(100_000) })).status).toBe(200);
  expect((await client.send({ method: "GET", key: "k" })).body).toHaveLength(100_000);
  await expect(
    createS3TestClient({ ...server, caPem: undefined }).send({ method: "GET", key: "k" }),
  ).rejects.toThrowError(/self-signed/);
  client.close();
  await server.close();
});

test("arguments become options", () => {
  const { server, untilStdinEnds } = parseArguments([
    "--port=0",
    "--bucket=a",
    "--bucket=b",
    "--profile=b2",
    "--latency-ms=5",
    "--etags=opaque",
  ]);
  expect(server).toEqual({
    profile: "b2",
    etags: "opaque",
    tls: false,
    control: true,
    port: 0,
    latencyMs: 5,
    bucket: ["a", "b"],
  });
  expect(untilStdinEnds).toBe(false);
  expect(() => parseArguments(["--profile=azure"])).toThrowError(/one of aws, b2/);
  expect(() => parseArguments(["--etags=sha1"])).toThrowError(/md5 or opaque/);
  expect(() => parseArguments(["--port=x"])).toThrowError(/not a number/);
});
