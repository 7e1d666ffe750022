import type { Clock } from "../src/wrappers/token-bucket.ts";

export interface FakeClock extends Clock {
  /** Every pause that was asked for, in milliseconds. */
  readonly sleeps: number[];
  advance(ms: number): void;
}

/** Time that passes only by sleeping and by hand, for tests. */
export function createFakeClock(): FakeClock {
  let time = 0;
  const sleeps: number[] = [];
  return {
    sleeps,
    now: () => time,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      sleeps.push(ms);
      time += ms;
    },
    advance(ms) {
      time += ms;
    },
  };
}
