import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { collectWhenIdle } from "./collect-when-idle.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** Of garbage. Looking at it keeps it for a turn. */
async function leave(): Promise<WeakRef<object>> {
  const left = new WeakRef({ some: "thing" });
  await turn();
  return left;
}

test("what a backlog has left is collected once nothing was archived for a while, and not before", async () => {
  const note = collectWhenIdle(new AbortController().signal);
  const left = await leave();
  for (let files = 0; files < 3; files += 1) {
    note();
    vi.advanceTimersByTime(14_000);
    expect(left.deref()).toBeDefined();
    await turn();
  }
  vi.advanceTimersByTime(1000);
  expect(left.deref()).toBeUndefined();
});

test("an archiver that is stopped waits for nothing", () => {
  const stop = new AbortController();
  const note = collectWhenIdle(stop.signal);
  note();
  stop.abort();
  note();
  expect(vi.getTimerCount()).toBe(0);
});
