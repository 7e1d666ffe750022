/** Slots of 8 bytes for each digest, at least: half of them stay empty, so that a search ends soon. */
const SLOTS_PER_DIGEST = 2;
const SMALLEST = 1024;

/**
 * The first eight bytes of many digests, in memory that threads share: so that a worker need not compress what lies in an
 * earlier backup already. It may err, once in some 10^13 questions, on one side only: what it does not know is not there.
 */
export class DigestFilter {
  /** To be sent to a thread, which makes its own filter of it. */
  readonly memory: SharedArrayBuffer;
  readonly #slots: BigUint64Array;
  readonly #mask: number;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#slots = new BigUint64Array(memory);
    this.#mask = this.#slots.length - 1;
  }

  static of(digests: Iterable<Uint8Array>, count: number): DigestFilter {
    let slots = SMALLEST;
    while (slots < count * SLOTS_PER_DIGEST) slots *= 2;
    const filter = new DigestFilter(new SharedArrayBuffer(slots * BigUint64Array.BYTES_PER_ELEMENT));
    for (const digest of digests) filter.#add(digest);
    return filter;
  }

  mayHold(digest: Uint8Array): boolean {
    const key = keyOf(digest);
    return this.#slots[this.#slotOf(key)] === key;
  }

  #add(digest: Uint8Array): void {
    const key = keyOf(digest);
    this.#slots[this.#slotOf(key)] = key;
  }

  /** The slot that holds this key, or the empty one where it belongs. */
  #slotOf(key: bigint): number {
    let slot = Number(key & 0x7fff_ffffn) & this.#mask;
    for (let held = this.#slots[slot]; held !== EMPTY && held !== key; held = this.#slots[slot])
      slot = (slot + 1) & this.#mask;
    return slot;
  }
}

const EMPTY = 0n;

/** Zero stands for an empty slot, so the digest that begins with it goes for its neighbour. */
function keyOf(digest: Uint8Array): bigint {
  return new DataView(digest.buffer, digest.byteOffset).getBigUint64(0, true) || 1n;
}
