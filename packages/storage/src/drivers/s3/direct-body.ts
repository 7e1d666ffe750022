import { Readable } from "node:stream";

/** Whoever goes by what arrives hears of it in between, in milliseconds. */
const GIVING_MS = 1000;

/**
 * A body that a socket writes straight into the memory in which its reader wants it. Handing the 16 KiB of each record of TLS
 * through Node's streams and its parser costs more than decrypting them, and three times the memory. A stream by its type only, which
 * is what the SDK passes on: it is read by iterating.
 */
export class DirectBody extends Readable {
  readonly #memory: Buffer;
  readonly #onUnwanted: () => void;
  #filled = 0;
  #failure: { readonly error: Error } | undefined;
  #wake: (() => void) | undefined;

  /** `onUnwanted` is called when the rest of the body will not be read. */
  constructor(length: number, onUnwanted: () => void) {
    super();
    this.#memory = Buffer.allocUnsafeSlow(length);
    this.#onUnwanted = onUnwanted;
  }

  /** Whether all of it is there, as of an `IncomingMessage`. */
  get complete(): boolean {
    return this.#filled === this.#memory.length;
  }

  /** Where the next bytes belong. */
  room(): Buffer {
    return this.#memory.subarray(this.#filled);
  }

  /** Says that so many bytes were written there. */
  received(bytes: number): void {
    this.#filled += bytes;
    if (this.complete) this.#wake?.();
  }

  fail(error: Error): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  /**
   * The bytes in one chunk, which fills its memory, where they come fast enough. What came before a failure is yielded before it is
   * thrown.
   */
  override async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, undefined, undefined> {
    try {
      for (let given = 0; ;) {
        await this.#arrival();
        const to = this.#filled;
        if (to > given) yield given === 0 && this.complete ? this.#memory : this.#memory.subarray(given, to);
        given = to;
        if (given === this.#memory.length) return undefined;
        if (this.#failure !== undefined && given === this.#filled) throw this.#failure.error;
      }
    } finally {
      this.destroy();
    }
  }

  /** Until all is there, or nothing more comes, or time is up. */
  async #arrival(): Promise<void> {
    if (this.complete || this.#failure !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, GIVING_MS);
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }

  /** Gives the rest up, and with it the connection. */
  override destroy(): this {
    if (this.complete || this.#failure !== undefined) return this;
    this.fail(new Error("the body was given up"));
    this.#onUnwanted();
    return this;
  }
}
