import type { SoarError } from "@soar/errors";
import type { LearnedHabit } from "./server-habits.ts";

/** What a store reports through `onEvent`: things that an operator wants to see although the call may still succeed. */
export type StoreEvent =
  | {
      readonly type: "retry";
      /** Method of the contract, for example `put` or `putPart`. */
      readonly operation: string;
      /** Key or prefix that the call is about. */
      readonly key: string;
      /** Number of the attempt that failed, from 1. */
      readonly attempt: number;
      /** Time until the next attempt. */
      readonly delayMs: number;
      readonly error: SoarError;
    }
  | {
      readonly type: "gave-up";
      readonly operation: string;
      readonly key: string;
      readonly attempts: number;
      readonly error: SoarError;
    }
  | ({
      /** The store found out how this server wants to be spoken to, mostly by a refusal; it goes on that way. */
      readonly type: "habit-learned";
    } & LearnedHabit)
  | {
      /** One request to a provider came to its end. A directory or memory knows no requests. */
      readonly type: "request";
      readonly kind: RequestKind;
      readonly outcome: RequestOutcome;
    };

/** As providers bill them; `multipart` is each step of an upload in parts. */
export type RequestKind = "put" | "multipart" | "list" | "get" | "head" | "delete";

/**
 * `refused` is an answer that is no success and repeating would not change, also an expected one ("not there", "exists
 * already"); `failed` is one of a provider in trouble (5xx, 429); `unanswered` is a connection that broke or a time that was over.
 */
export type RequestOutcome = "ok" | "refused" | "failed" | "unanswered";

export interface StoreHooks {
  readonly onEvent?: ((event: StoreEvent) => void) | undefined;
}
