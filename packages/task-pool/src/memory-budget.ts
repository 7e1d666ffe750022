import { aborted } from "./aborted.ts";

/** What one piece of work may hold of a `MemoryBudget`, until disposed. */
export interface MemoryShare extends Disposable {
  /** Gives back all but so many bytes, for what needs less from here on than at its beginning. */
  shrinkTo(bytes: number): void;
}

interface Waiter {
  readonly bytes: number;
  readonly begin: (share: MemoryShare) => void;
}

/**
 * Bytes that pieces of work may hold at once, whatever their number and size. Who comes first is let in first, so that small
 * ones do not keep a large one waiting for ever; one that is larger than all there is gets it alone.
 */
export class MemoryBudget {
  readonly #bytes: number;
  readonly #waiting = new Set<Waiter>();
  #taken = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Waits for its turn. Rejects with `ABORTED`, or the signal's own reason, when the signal aborts before. */
  async take(bytes: number, signal: AbortSignal | undefined): Promise<MemoryShare> {
    if (signal?.aborted === true) throw aborted(signal);
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise((resolve, reject) => {
        const waiter: Waiter = { bytes: Math.min(bytes, this.#bytes), begin: resolve };
        onAbort = () => this.#waiting.delete(waiter) && signal !== undefined && reject(aborted(signal));
        signal?.addEventListener("abort", onAbort, { once: true });
        this.#waiting.add(waiter);
        this.#letIn();
      });
    } finally {
      if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
      // Where one that waited has left, the next one may fit.
      this.#letIn();
    }
  }

  #letIn(): void {
    for (const waiter of this.#waiting) {
      if (this.#taken + waiter.bytes > this.#bytes) return;
      this.#waiting.delete(waiter);
      waiter.begin(this.#share(waiter.bytes));
    }
  }

  #share(bytes: number): MemoryShare {
    let held = bytes;
    this.#taken += held;
    const shrinkTo = (left: number): void => {
      this.#taken -= Math.max(0, held - left);
      held = Math.min(held, left);
      this.#letIn();
    };
    return { shrinkTo, [Symbol.dispose]: () => shrinkTo(0) };
  }
}
