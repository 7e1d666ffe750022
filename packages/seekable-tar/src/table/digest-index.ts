import { invalid } from "../codec/damage.ts";
import { MemberList, type MemberObject } from "./member-list.ts";
import { type ReadSeekTableOptions, readSeekTableRows } from "./read-seek-table.ts";
import type { MemberLocation } from "./row.ts";
import type { SeekTable } from "./seek-table.ts";

const EMPTY = -1;
const SMALLEST = 1024;

/**
 * Finds a member by the digest and length of its plain bytes: `resolveExisting` of an incremental backup. Holds 64
 * bytes per member and 8 to 16 of hash table. Only whole digests are compared.
 */
export class DigestIndex {
  readonly #objects: MemberObject[] = [];
  readonly #objectNumbers = new Map<string, number>();
  readonly #members = new MemberList(this.#objects);
  /** Open addressing: numbers of members at the place of their hash or, when that is taken, behind it. */
  #places = new Int32Array(SMALLEST).fill(EMPTY);

  /** Number of members with different digests. */
  get size(): number {
    return this.#members.length;
  }

  /** Every digest, each a view that must not be changed. */
  *digests(): Generator<Uint8Array, void, undefined> {
    for (let index = 0; index < this.#members.length; index++) yield this.#members.get(index).sha256;
  }

  /** Adds every member of every archive of the table that `accept` lets through. */
  addTable(table: SeekTable, accept: (member: MemberLocation) => boolean = () => true): void {
    for (const { members } of table.archives) {
      for (let index = 0; index < members.length; index++) {
        const member = members.get(index);
        if (accept(member)) this.add(member);
      }
    }
  }

  /**
   * Adds the members of a stored table that `accept` lets through, without ever holding the table: for an incremental
   * backup of a large cluster. Rejects as `readSeekTableRows` does.
   */
  async addStoredTable(
    options: ReadSeekTableOptions,
    accept: (member: MemberLocation) => boolean = () => true,
  ): Promise<void> {
    const objects: MemberObject[] = [];
    for await (const rows of readSeekTableRows(options)) {
      for (const row of rows) {
        if (row.kind === "object") objects.push({ key: row.key, codec: row.codec });
        if (row.kind !== "member") continue;
        const object = objects[row.object];
        if (object === undefined) throw invalid(`the seek table '${options.name}'`, `there is no object ${row.object}`);
        const { kind: _, ...described } = row;
        const member = { ...described, object: object.key, codec: object.codec };
        if (accept(member)) this.add(member);
      }
    }
  }

  /** The first member of a digest stays; adding it again changes nothing. Returns its number. */
  add(member: MemberLocation): number {
    if (this.#members.length >= this.#places.length / 2) this.#grow();
    const place = this.#placeOf(member.sha256);
    const known = this.#places[place] ?? EMPTY;
    if (known !== EMPTY) return known;
    const number = this.#members.length;
    this.#places[place] = number;
    this.#members.push(this.#numberOf(member), member);
    return number;
  }

  /** The member with this number. Throws a `RangeError` when there is none. */
  at(number: number): MemberLocation {
    return this.#members.get(number);
  }

  find(sha256: Uint8Array, plainLength: number): MemberLocation | undefined {
    const index = this.#places[this.#placeOf(sha256)] ?? EMPTY;
    return index === EMPTY || this.#members.plainLength(index) !== plainLength ? undefined : this.#members.get(index);
  }

  /** The place that holds this digest, or the empty one where it belongs. */
  #placeOf(sha256: Uint8Array): number {
    const mask = this.#places.length - 1;
    let place = new DataView(sha256.buffer, sha256.byteOffset).getUint32(0, true) & mask;
    for (;;) {
      const index = this.#places[place] ?? EMPTY;
      if (index === EMPTY || this.#members.hasDigest(index, sha256)) return place;
      place = (place + 1) & mask;
    }
  }

  #grow(): void {
    const places = new Int32Array(this.#places.length * 2).fill(EMPTY);
    const mask = places.length - 1;
    for (let index = 0; index < this.#members.length; index++) {
      let place = this.#members.hash(index) & mask;
      while (places[place] !== EMPTY) place = (place + 1) & mask;
      places[place] = index;
    }
    this.#places = places;
  }

  #numberOf({ object, codec }: MemberLocation): number {
    const known = this.#objectNumbers.get(object);
    if (known !== undefined) return known;
    this.#objectNumbers.set(object, this.#objects.length);
    return this.#objects.push({ key: object, codec }) - 1;
  }
}
