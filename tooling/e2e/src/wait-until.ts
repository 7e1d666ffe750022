import { setTimeout as delay } from "node:timers/promises";

/** Waits until a condition holds, looking every 50 ms; fails with what was waited for instead of hanging. */
export async function waitUntil(what: string, condition: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${timeoutMs} ms for: ${what}`);
    await delay(50);
  }
}
