import { expect, test } from "vitest";
import { errorReply, openScripted } from "./scripted-server.ts";

const MINUTE_MS = 60_000;
const date = (text: string) => ({ date: text, "last-modified": "Sun, 05 Jan 2025 12:00:00 GMT", etag: '"x"' });

test("the server's clock is known from its newest answer on, a refusal included", async () => {
  await using scripted = await openScripted([
    { headers: date("Sun, 05 Jan 2025 12:00:00 GMT") },
    { ...errorReply(403, "AccessDenied", "no"), headers: date("Tue, 05 Jan 2027 12:00:00 GMT") },
    { ...errorReply(503, "SlowDown", "no"), headers: date("yesterday") },
  ]);
  const { store } = scripted;
  const isNear = (text: string): boolean =>
    Math.abs(Number(store.features.clock()) - Date.parse(text)) < 10 * MINUTE_MS;
  expect(store.features.clock()).toBeUndefined();
  await store.stat("a");
  expect(isNear("2025-01-05T12:00:00Z")).toBe(true);
  await expect(store.list("a")[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "CLOCK_SKEWED" });
  expect(isNear("2027-01-05T12:00:00Z")).toBe(true);
  await expect(store.get("a")).rejects.toMatchObject({ code: "STORE_BUSY" });
  expect(isNear("2027-01-05T12:00:00Z")).toBe(true);
});
