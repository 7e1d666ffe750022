/** One relation, or file of one, that goes with another relation; unsigned numbers of 32 bits. */
export interface Belonging {
  readonly part: number;
  readonly whole: number;
}

const SMALLEST = 1024;

/** Very many of them in little memory: eight bytes for each, whatever catalogs of somebody else's say. */
export class Belongings {
  #pairs = new BigUint64Array(SMALLEST);
  #count = 0;
  #isSorted = true;

  get count(): number {
    return this.#count;
  }

  add({ part, whole }: Belonging): void {
    if (this.#count === this.#pairs.length) {
      const larger = new BigUint64Array(this.#count * 2);
      larger.set(this.#pairs);
      this.#pairs = larger;
    }
    this.#pairs[this.#count] = (BigInt(whole) << 32n) | BigInt(part);
    this.#count += 1;
    this.#isSorted = false;
  }

  /** Those that were added with this whole, in the order of their numbers, maybe several times. */
  *partsOf(whole: number): Generator<number, void, undefined> {
    const pairs = this.#sorted();
    const wanted = BigInt(whole);
    for (let at = firstFrom(pairs, wanted << 32n); at < pairs.length; at += 1) {
      const pair = pairs[at] ?? 0n;
      if (pair >> 32n !== wanted) return;
      yield Number(pair & 0xff_ff_ff_ffn);
    }
  }

  #sorted(): BigUint64Array {
    const pairs = this.#pairs.subarray(0, this.#count);
    if (!this.#isSorted) pairs.sort();
    this.#isSorted = true;
    return pairs;
  }
}

/** Index of the first that is not below. */
function firstFrom(sorted: BigUint64Array, least: bigint): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] ?? 0n) < least) from = middle + 1;
    else to = middle;
  }
  return from;
}
