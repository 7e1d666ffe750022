import { invalid } from "../codec/damage.ts";
import type { PlacedEntry } from "./row.ts";

const WHAT = "the seek table";

/**
 * Every entry's content lies inside of its archive, and they do not overlap: extraction relies on both. Follows the rows of one archive
 * without its members; throws `FORMAT_INVALID`.
 */
export class EntryOrder {
  /** Those whose content begins in a member that has not come yet. */
  #ahead: PlacedEntry[] = [];
  #members = 0;
  #plainBytes = 0;
  #contentEnd = 0;

  entry(entry: PlacedEntry): void {
    if (entry.type !== "file" && entry.size !== 0)
      throw invalid(WHAT, `'${entry.path}' has content without being a file`);
    if (entry.member < (this.#ahead.at(-1)?.member ?? this.#members)) throw outOfOrder(entry);
    this.#ahead.push(entry);
  }

  member(plainLength: number): void {
    if (this.#ahead[0]?.member === this.#members) {
      const later = this.#ahead.findIndex(({ member }) => member > this.#members);
      const here = later === -1 ? this.#ahead : this.#ahead.slice(0, later);
      this.#ahead = later === -1 ? [] : this.#ahead.slice(later);
      for (const entry of here) this.#place(entry, plainLength);
    }
    this.#members += 1;
    this.#plainBytes += plainLength;
  }

  end(): void {
    const [entry] = this.#ahead;
    if (entry !== undefined) throw outOfOrder(entry);
    if (this.#contentEnd > this.#plainBytes) throw invalid(WHAT, "the content of an entry ends behind its archive");
  }

  #place(entry: PlacedEntry, plainLength: number): void {
    const start = this.#plainBytes + entry.offset;
    if (entry.offset > plainLength || start < this.#contentEnd) throw outOfOrder(entry);
    this.#contentEnd = start + entry.size;
  }
}

function outOfOrder({ path }: PlacedEntry): Error {
  return invalid(WHAT, `the content of '${path}' does not follow that of the entry before`);
}
