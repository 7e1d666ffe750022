/** Keeps memory that is used again and again, so that a long run neither waits for fresh pages nor for the collector. */
export class MemoryRecycler {
  readonly #free = new Map<number, ArrayBuffer[]>();

  /** A buffer over memory of exactly this size, with any content. */
  take(size: number): Buffer {
    const memory = this.#free.get(size)?.pop();
    return memory === undefined ? Buffer.allocUnsafeSlow(size) : Buffer.from(memory);
  }

  /** Takes back the memory under `buffer`, which must not be used any more. */
  give(buffer: Buffer): void {
    const memory = buffer.buffer;
    if (!(memory instanceof ArrayBuffer) || memory.byteLength === 0) return;
    const sameSize = this.#free.get(memory.byteLength);
    if (sameSize === undefined) this.#free.set(memory.byteLength, [memory]);
    else sameSize.push(memory);
  }
}
