import { setTimeout as delay } from "node:timers/promises";
import { hasErrorCode } from "@soar/errors";
import { createBackoff } from "../full-jitter.ts";
import type { ObjectStore } from "@soar/storage";
import { streamTail } from "./stream-tail.ts";
import type { TailOptions } from "./tail-options.ts";

const RETRY = { baseMs: 200, capMs: 10_000 };
/** Commits wait for it. */
const SYNCHRONOUS_RETRY = { baseMs: 100, capMs: 1_000 };

/**
 * Ships the unfinished segment of a running server until the signal aborts: reconnects after restarts and outages, follows
 * timelines. A rolled-back volume or a foreign server stop it for good, and the event says so: shipping on would mix two
 * histories. Archiving goes on either way.
 */
export async function runTailShipper(store: ObjectStore, options: TailOptions): Promise<void> {
  const { signal, onEvent } = options;
  const backoff = createBackoff(options.synchronous === true ? SYNCHRONOUS_RETRY : RETRY);
  while (!signal.aborted) {
    try {
      await streamTail(store, {
        ...options,
        onEvent(event) {
          if (event.type === "tail-shipped") backoff.succeeded();
          onEvent?.(event);
        },
      });
      backoff.succeeded();
    } catch (error) {
      if (signal.aborted) return;
      if (hasErrorCode(error, "WAL_CONFLICT", "REPOSITORY_FOREIGN")) {
        onEvent?.({ type: "tail-stopped", error });
        return;
      }
      const retryInMs = backoff.failed();
      onEvent?.({ type: "tail-interrupted", error, retryInMs });
      await pause(retryInMs, signal);
    }
  }
}

/** Ends early, without an error, when the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await Promise.race([
    delay(ms, undefined, { ref: false }),
    new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true })),
  ]);
}
