import type { Expectation } from "./wire.ts";

/** What a caller of the SDK may say about one request beside it. */
export interface TransportCall {
  readonly abortSignal?: unknown;
  /** Has the body of an answer in memory, all of it, before it is read. */
  readonly whole?: boolean | undefined;
  /** Sends `Expect: 100-continue`, which is no part of what is signed. */
  readonly expectContinue?: boolean | undefined;
  /** Told, of a body that was announced so, what came of it. */
  readonly onExpectation?: ((outcome: Expectation) => void) | undefined;
  /** Awaited when the server has begun to take the body, before the second half of it is sent. */
  readonly whenBegun?: (() => Promise<void>) | undefined;
}
