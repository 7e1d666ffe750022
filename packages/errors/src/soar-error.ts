import { ERROR_CODES, type ErrorCode } from "./error-codes.ts";
import { redactSecrets } from "./redaction.ts";

export interface SoarErrorOptions {
  /** What to do next, as a full sentence with the exact command or setting. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  /** Overrides the table for this one failure, for example when a deadline has passed. */
  readonly retryable?: boolean | undefined;
}

/** A failure that the user can act on. Anything else that is thrown is a bug and prints its stack. */
export class SoarError extends Error {
  override readonly name = "SoarError";
  readonly code: ErrorCode;
  /** What to do next, as a full sentence. */
  readonly hint: string | undefined;
  readonly retryable: boolean;

  /** Secrets are removed here, not at call sites, so that no caller can forget it. */
  constructor(code: ErrorCode, message: string, options: SoarErrorOptions = {}) {
    super(redactSecrets(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint === undefined ? undefined : redactSecrets(options.hint);
    this.retryable = options.retryable ?? ERROR_CODES[code].retryable;
  }
}

/** Compares codes, not classes: two installed copies of this package must still recognise each other. */
export function hasErrorCode(error: unknown, ...codes: readonly ErrorCode[]): error is SoarError {
  return isSoarError(error) && codes.includes(error.code);
}

/** True for a failure with a row in the table, whichever copy of this package made it. */
export function isSoarError(error: unknown): error is SoarError {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    error.code in ERROR_CODES &&
    "retryable" in error
  );
}

/** Whether trying the same call again may help. Unknown errors are bugs, and bugs do not go away by repetition. */
export function isRetryable(error: unknown): boolean {
  return isSoarError(error) && error.retryable;
}

/** Exit status for an error that reached the top of a binary: the table's, or 70 for a bug. */
export function exitStatusOf(error: unknown): number {
  return ERROR_CODES[isSoarError(error) ? error.code : "BUG"].exitStatus;
}

/** The message of whatever was thrown: a library may throw anything. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whatever was thrown, as an `Error`. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
