import { isRetryable, isSoarError, SoarError } from "@soar/errors";
import { abortedError } from "../abort-signal.ts";
import type { StoreEvent } from "../store-event.ts";
import { type Clock, SYSTEM_CLOCK } from "./token-bucket.ts";

export interface RetryOptions {
  /**
   * How long one call may take in all, attempts and pauses together, in milliseconds; default 5 minutes. Backblaze
   * recommends patience of up to an hour for backups, because its vaults go down for maintenance for half of one.
   * For the body of `get` the time starts again with every byte that arrives.
   */
  readonly deadlineMs?: number | undefined;
  /** Upper bound of the first pause; it doubles with each attempt. Default 200 ms. */
  readonly baseDelayMs?: number | undefined;
  /** Upper bound of any pause; default 20 s. */
  readonly maxDelayMs?: number | undefined;
  readonly onEvent?: ((event: StoreEvent) => void) | undefined;
  /** A number in 0..1 (exclusive); replaced in tests. */
  readonly random?: (() => number) | undefined;
  readonly clock?: Clock | undefined;
  /** Who is asked, for messages. */
  readonly server?: string | undefined;
}

export interface RetriedCall {
  /** Method of the contract. */
  readonly operation: string;
  /** Key or prefix. */
  readonly key: string;
  readonly signal: AbortSignal | undefined;
}

/** Calls again what failed retryably, until it succeeds, fails otherwise, or the deadline passes. */
export interface Retrier {
  run<T>(call: RetriedCall, attempt: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Begins a count of failures that spans several calls, for bodies and listings that go on after a failure. */
  begin(call: RetriedCall): RetryState;
}

export interface RetryState {
  /** Forgets failures so far: something arrived. */
  progress(): void;
  /** Pauses before the next attempt, or throws: the error itself if it is not retryable, or the one of giving up. */
  failed(error: unknown): Promise<void>;
  /** Runs attempts until one succeeds; each one under what is left of the deadline. */
  run<T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<Held<T>>;
}

/** A result that may still be at work (an open body) and listens to the caller's signal until it is released. */
export interface Held<T> {
  readonly value: T;
  readonly release: () => void;
  /** Ends the work, for a result that nobody wants any more. */
  readonly cancel: () => void;
}

export function createRetrier(options: RetryOptions = {}): Retrier {
  const settings: Settings = {
    deadlineMs: options.deadlineMs ?? 300_000,
    baseDelayMs: options.baseDelayMs ?? 200,
    maxDelayMs: options.maxDelayMs ?? 20_000,
    onEvent: options.onEvent ?? (() => undefined),
    random: options.random ?? Math.random,
    clock: options.clock ?? SYSTEM_CLOCK,
    server: options.server,
  };
  return {
    begin: (call) => beginState(settings, call),
    async run(call, attempt) {
      const { value, release } = await beginState(settings, call).run(attempt);
      release();
      return value;
    },
  };
}

type Settings = { readonly [Name in Exclude<keyof RetryOptions, "server">]-?: NonNullable<RetryOptions[Name]> } & Pick<
  RetryOptions,
  "server"
>;

function beginState(settings: Settings, call: RetriedCall): RetryState {
  let startedAt = settings.clock.now();
  let failures = 0;
  let answer: SoarError | undefined;
  const remaining = (): number => settings.deadlineMs - (settings.clock.now() - startedAt);
  const failed = async (error: unknown): Promise<void> => {
    if (call.signal?.aborted || !isRetryable(error) || !isSoarError(error)) throw error;
    failures += 1;
    // Of an attempt that time ran out for nothing is known; the one before may have been told what is wrong.
    const isSilence = error.cause instanceof DeadlinePassed;
    if (!isSilence) answer = error;
    // Full jitter: clients that failed together must not come back together.
    const delayMs = settings.random() * Math.min(settings.maxDelayMs, settings.baseDelayMs * 2 ** (failures - 1));
    if (isSilence || remaining() <= delayMs) throw gaveUp(settings, call, failures, answer ?? error);
    settings.onEvent({ type: "retry", operation: call.operation, key: call.key, attempt: failures, delayMs, error });
    await pause(settings.clock, delayMs, call);
  };
  return {
    failed,
    progress() {
      startedAt = settings.clock.now();
      failures = 0;
      answer = undefined;
    },
    async run(attempt) {
      for (;;) {
        try {
          return await runUntil(remaining(), { ...call, server: settings.server }, attempt);
        } catch (error) {
          await failed(error);
        }
      }
    },
  };
}

async function pause(clock: Clock, delayMs: number, { operation, key, signal }: RetriedCall): Promise<void> {
  try {
    await clock.sleep(delayMs, signal);
  } catch (error) {
    throw signal?.aborted ? abortedError(signal, `${operation} '${key}'`) : error;
  }
}

function gaveUp(settings: Settings, { operation, key }: RetriedCall, attempts: number, error: SoarError): SoarError {
  settings.onEvent({ type: "gave-up", operation, key, attempts, error });
  const tries = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
  return new SoarError(error.code, `${error.message} (gave up after ${tries} within ${settings.deadlineMs / 1000} s)`, {
    hint: error.hint,
    cause: error,
    retryable: false,
  });
}

/** One attempt, with a signal that fires for the caller's reasons or when time is up; the timer ends with the attempt. */
async function runUntil<T>(
  remainingMs: number,
  call: RetriedCall & Pick<RetryOptions, "server">,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<Held<T>> {
  const controller = new AbortController();
  const forward = (): void => controller.abort(call.signal?.reason);
  const release = (): void => call.signal?.removeEventListener("abort", forward);
  if (call.signal?.aborted) forward();
  else call.signal?.addEventListener("abort", forward, { once: true });
  const timer = setTimeout(() => controller.abort(new DeadlinePassed()), Math.max(0, remainingMs));
  try {
    return { value: await attempt(controller.signal), release, cancel: () => controller.abort() };
  } catch (error) {
    release();
    const { reason } = controller.signal;
    if (!(reason instanceof DeadlinePassed)) throw error;
    const from = call.server === undefined ? "" : ` from ${call.server}`;
    throw new SoarError(
      "STORE_UNREACHABLE",
      `unable to ${call.operation} '${call.key}'${from}: no answer before the deadline`,
      { cause: reason },
    );
  } finally {
    clearTimeout(timer);
  }
}

class DeadlinePassed extends Error {
  override readonly name = "DeadlinePassed";
}
