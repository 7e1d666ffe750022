import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { startS3Server } from "@soar-tooling/s3-server";
import { expect, test } from "vitest";
import { openStore } from "./open-store.ts";
import { readObject } from "./read-object.ts";
import type { StoreEvent } from "./store-event.ts";

const BODY = Buffer.from("some bytes");

test("opens a bucket below its prefix, which callers do not see", async () => {
  const server = await startS3Server();
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  const store = openStore({
    url: `s3://${server.bucket}/cluster1/main`,
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
  });
  expect(store.location).toBe(`s3://${server.bucket}/cluster1/main`);
  expect(await store.put("a", BODY)).toMatchObject({ key: "a" });
  expect([...server.objects().keys()]).toEqual(["cluster1/main/a"]);
  await store.close();
  await server.close();
});

test("opens a bucket with retries, whose settings and events are the caller's", async () => {
  const server = await startS3Server();
  const events: StoreEvent[] = [];
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  const config = { url: `s3://${server.bucket}`, endpoint, region, credentials: { accessKeyId, secretAccessKey } };
  const store = openStore({ ...config, retry: { baseDelayMs: 1 } }, { onEvent: (event) => events.push(event) });
  server.inject({ times: 2, fault: { type: "busy" } });
  await store.put("a", BODY);
  expect(events.map(({ type }) => type)).toEqual(["request", "retry", "request", "retry", "request"]);
  const impatient = openStore({ ...config, retry: false });
  server.inject({ fault: { type: "busy" } });
  await expect(impatient.put("b", BODY)).rejects.toMatchObject({ code: "STORE_BUSY", retryable: true });
  await store.close();
  await impatient.close();
  await server.close();
});

test("starts with what is known about conditions", async () => {
  const store = openStore({
    url: "s3://bucket",
    endpoint: "http://127.0.0.1:1",
    habits: { conditionalPut: "ignored" },
  });
  expect(store.features.conditionalPut).toBe("ignored");
  await store.close();
});

test("opens a directory", async () => {
  const directory = await mkdtemp(join(tmpdir(), "soar-open-"));
  const store = openStore({ url: pathToFileURL(directory).href, rateLimitBytesPerSecond: 1e9 });
  await store.put("a", BODY);
  expect(store.location).toBe(`file://${directory}`);
  expect(await readObject(store, "a")).toEqual(BODY);
  await store.close();
  await rm(directory, { recursive: true });
});

test("opens one memory per name", async () => {
  await openStore({ url: "memory:shared-in-this-test" }).put("a", BODY);
  expect(await readObject(openStore({ url: "memory:shared-in-this-test" }), "a")).toEqual(BODY);
  expect(await openStore({ url: "memory:another-in-this-test" }).stat("a")).toBeUndefined();
});

test("refuses what it cannot understand before anything is sent", () => {
  expect(() => openStore({ url: "s3://bucket" })).toThrow("no endpoint is set");
  expect(() => openStore({ url: "/var/backups" })).toThrow("it has no scheme");
});

test("opening costs nothing and keeps nothing open; closing is always right", async () => {
  const store = openStore({ url: "s3://bucket", endpoint: "http://127.0.0.1:1" });
  await expect(store.close()).resolves.toBeUndefined();
});
