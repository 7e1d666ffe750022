import { setTimeout as sleepFor } from "node:timers/promises";

/** Where time comes from; replaced in tests. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  /** Resolves after `ms`, or rejects when the signal fires. */
  readonly sleep: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  sleep: async (ms, signal) => await sleepFor(ms, undefined, { signal }),
};

export interface TokenBucket {
  /** Waits until `amount` may pass; callers are served in order. */
  take(amount: number, signal: AbortSignal | undefined): Promise<void>;
}

/**
 * Lets `ratePerSecond` pass on average. It holds one second's worth, and may go into debt: a part larger than that
 * passes at once and whoever comes next waits for it, so the rate holds for bodies of any size.
 */
export function createTokenBucket(ratePerSecond: number, clock: Clock = SYSTEM_CLOCK): TokenBucket {
  if (!(ratePerSecond > 0))
    throw new RangeError(`a rate limit is a positive number of bytes per second, not ${ratePerSecond}`);
  let tokens = ratePerSecond;
  let filledAt = clock.now();
  let queue: Promise<void> = Promise.resolve();

  const refill = (): void => {
    const now = clock.now();
    tokens = Math.min(ratePerSecond, tokens + ((now - filledAt) / 1000) * ratePerSecond);
    filledAt = now;
  };
  const wait = async (amount: number, signal: AbortSignal | undefined): Promise<void> => {
    refill();
    if (tokens < 0) await clock.sleep((-tokens / ratePerSecond) * 1000, signal);
    refill();
    tokens -= amount;
  };
  return {
    take(amount, signal) {
      const turn = queue.then(() => wait(amount, signal));
      // The next caller waits for this turn, whichever way it ends; its own caller hears of the failure.
      queue = turn.then(
        () => undefined,
        () => undefined,
      );
      return turn;
    },
  };
}
