import { SoarError } from "@soar/errors";

/** Throws `ABORTED` when the caller's signal has fired. `action` completes "unable to ...". */
export function requireNotAborted(signal: AbortSignal | undefined, action: string): void {
  if (signal?.aborted) throw abortedError(signal, action);
}

/** The failure that a fired signal becomes; the signal's reason stays as the cause. */
export function abortedError(signal: AbortSignal, action: string): SoarError {
  return new SoarError("ABORTED", `unable to ${action}: the call was aborted`, { cause: signal.reason });
}
