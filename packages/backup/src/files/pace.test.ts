import { expect, test } from "vitest";
import { Pace } from "./pace.ts";

test("bytes wait for their turn, counted from the start", async () => {
  const pace = new Pace(1_000_000);
  const began = performance.now();
  for (let turn = 0; turn < 5; turn++) await pace.take(50_000, undefined);
  // Four times 50 ms: the fifth begins when the bytes before it are due.
  expect(performance.now() - began).toBeGreaterThanOrEqual(195);
});

test("without a limit nothing waits, and a signal ends the waiting", async () => {
  await new Pace(undefined).take(Number.MAX_SAFE_INTEGER, undefined);
  const pace = new Pace(1);
  await pace.take(1_000_000, undefined);
  const stop = new AbortController();
  const waiting = pace.take(1, stop.signal);
  stop.abort();
  await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
});
