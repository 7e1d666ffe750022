/**
 * Checksums of members that were read already, by object and offset: the incrementals of a week refer to the same chunks
 * again and again. 12 bytes each, in the order in which they lie in the object.
 */
export class KnownMembers {
  readonly #objects = new Map<string, KnownObject>();

  /** Members of one object that come at increasing offsets; others are not kept. */
  add(object: string, offset: number, checksum: number): void {
    const known = this.#objects.get(object) ?? new KnownObject();
    this.#objects.set(object, known);
    known.push(offset, checksum);
  }

  checksumOf(object: string, offset: number): number | undefined {
    return this.#objects.get(object)?.find(offset);
  }
}

class KnownObject {
  #offsets = new Float64Array(1024);
  #checksums = new Uint32Array(1024);
  #length = 0;

  push(offset: number, checksum: number): void {
    if (this.#length > 0 && (this.#offsets[this.#length - 1] ?? 0) >= offset) return;
    if (this.#length === this.#offsets.length) this.#grow();
    this.#offsets[this.#length] = offset;
    this.#checksums[this.#length++] = checksum;
  }

  find(offset: number): number | undefined {
    let [low, high] = [0, this.#length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#offsets[middle] ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low < this.#length && this.#offsets[low] === offset ? this.#checksums[low] : undefined;
  }

  #grow(): void {
    const offsets = new Float64Array(this.#offsets.length * 2);
    const checksums = new Uint32Array(offsets.length);
    offsets.set(this.#offsets);
    checksums.set(this.#checksums);
    this.#offsets = offsets;
    this.#checksums = checksums;
  }
}
