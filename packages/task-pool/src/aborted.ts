import { isSoarError, SoarError } from "@soar/errors";

/** The error of work whose signal aborted: the caller's own reason when that is one of ours, else `ABORTED`. */
export function aborted(signal: AbortSignal): Error {
  if (isSoarError(signal.reason)) return signal.reason;
  return new SoarError("ABORTED", "unable to go on: the run was stopped", { cause: signal.reason });
}
