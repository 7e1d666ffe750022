import { setTimeout as delay } from "node:timers/promises";
import { isSoarError, SoarError } from "@soar/errors";
import { abandonThreads } from "./exit-process.ts";

export interface EndWithinOptions {
  /** A stop or a deadline, which the work knows and ends on by itself, unless it cannot. */
  readonly signal: AbortSignal;
  /** How long the work has to end in good order after that. */
  readonly graceMs: number;
  /** What is waited for, for the error: "a file system that does not answer". */
  readonly suspect: string;
}

/**
 * Waits for work, but for no longer than the grace after its signal aborted: a call of a file system that hangs (a network
 * mount, a broken disk) cannot be taken back, and neither can the thread that made it. The work is abandoned then; the process
 * can only end. Rejects as the work does, or with the signal's reason, which says what is suspected.
 */
export async function endWithin<T>(work: Promise<T>, { signal, graceMs, suspect }: EndWithinOptions): Promise<T> {
  const isOver = new AbortController();
  const overdue = async (): Promise<never> => {
    await aborted(AbortSignal.any([signal, isOver.signal]));
    await delay(graceMs, undefined, { signal: isOver.signal });
    abandonThreads();
    throw overdueError(signal.reason, suspect);
  };
  try {
    return await Promise.race([work, overdue()]);
  } finally {
    isOver.abort();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** A stop stays a stop. A deadline that passed is what became of the work. */
function overdueError(reason: unknown, suspect: string): SoarError {
  const hint = `Something waits for ${suspect}: look at the mounts (df, /proc/mounts) and the kernel's log. What was abandoned holds this process up no longer.`;
  if (isSoarError(reason)) return new SoarError(reason.code, reason.message, { cause: reason, hint });
  return new SoarError("FILE_UNREADABLE", `unable to go on in time: something waits for ${suspect}`, {
    cause: reason,
    hint,
  });
}
