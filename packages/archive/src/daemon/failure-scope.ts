import { ERROR_CODES, isSoarError } from "@soar/errors";

/**
 * Whether the same call may succeed later without anybody acting, by the kind of failure. `error.retryable` says less: the
 * store's own retries have given up then, which says nothing about the next minute.
 */
export function mayPass(error: unknown): boolean {
  return isSoarError(error) && ERROR_CODES[error.code].retryable;
}

/** Whether every other file would fail the same way: the store, not this file, is what does not work. */
export function concernsStore(error: unknown): boolean {
  return isSoarError(error) && /^(STORE_|BUCKET_|CLOCK_|OBJECT_SHORT|REPOSITORY_)/.test(error.code);
}
