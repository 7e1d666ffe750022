/** Pauses that grow, each a random part of its bound, so that many archivers do not knock at one provider in step. */
export interface Backoff {
  /** Milliseconds until the next attempt. */
  failed(): number;
  succeeded(): void;
  /** Failures since the last success. */
  readonly attempts: number;
}

export interface BackoffOptions {
  readonly baseMs: number;
  readonly capMs: number;
  /** A number in 0..1; replaced in tests. */
  readonly random?: () => number;
}

export function createBackoff({ baseMs, capMs, random = Math.random }: BackoffOptions): Backoff {
  let attempts = 0;
  return {
    get attempts() {
      return attempts;
    },
    failed() {
      // 2^30 is far above any cap; a larger exponent would only overflow after days of failures.
      const bound = Math.min(capMs, baseMs * 2 ** Math.min(attempts, 30));
      attempts += 1;
      return Math.ceil(random() * bound);
    },
    succeeded() {
      attempts = 0;
    },
  };
}
