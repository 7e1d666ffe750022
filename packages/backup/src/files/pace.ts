import { setTimeout as sleep } from "node:timers/promises";
import { aborted } from "@soar/task-pool";

/** Lets through no more than this many bytes a second, on average since it began. */
export class Pace {
  readonly #bytesPerSecond: number | undefined;
  readonly #began = performance.now();
  #bytes = 0;

  constructor(bytesPerSecond: number | undefined) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Resolves when these bytes may be read. Rejects with `ABORTED` when the signal is raised. */
  async take(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw aborted(signal);
    if (this.#bytesPerSecond === undefined) return;
    const due = (this.#bytes / this.#bytesPerSecond) * 1000;
    this.#bytes += bytes;
    const wait = due - (performance.now() - this.#began);
    if (wait <= 0) return;
    await sleep(wait, undefined, { signal }).catch((error: unknown) => {
      throw signal === undefined ? error : aborted(signal);
    });
  }
}
