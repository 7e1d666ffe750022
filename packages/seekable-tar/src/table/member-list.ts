import type { Codec } from "../codec/codec.ts";
import { STORED_DIGEST_BYTES } from "../codec/sums.ts";
import type { MemberCursor, MemberSource } from "./member-source.ts";
import type { MemberLocation } from "./row.ts";

/** An object that members lie in. */
export interface MemberObject {
  readonly key: string;
  readonly codec: Codec;
}

/** What is kept of each member: digest, offset, stored length, plain length, object, CRC-32C, digest of the stored bytes. */
const RECORD_BYTES = 32 + 8 + 4 + 4 + 4 + 4 + STORED_DIGEST_BYTES;
const STORED_DIGEST_AT = 56;
const RECORDS_PER_SLAB = 16_384;

/**
 * Members in 64 bytes each instead of some 400 as JavaScript objects: the 400,000 members of a 420 GB cluster take 26
 * MB. Grows in slabs, so that growing never needs the memory twice.
 */
export class MemberList implements MemberSource {
  readonly #objects: readonly MemberObject[];
  readonly #slabs: Buffer[] = [];
  #length = 0;

  /** `objects` is what the object numbers of `push` refer to; it may still grow. */
  constructor(objects: readonly MemberObject[]) {
    this.#objects = objects;
  }

  get length(): number {
    return this.#length;
  }

  push(object: number, member: Omit<MemberLocation, "object" | "codec">): void {
    const at = (this.#length % RECORDS_PER_SLAB) * RECORD_BYTES;
    if (at === 0) this.#slabs.push(Buffer.allocUnsafeSlow(RECORDS_PER_SLAB * RECORD_BYTES));
    const slab = this.#slabOf(this.#length++);
    slab.set(member.sha256, at);
    slab.writeDoubleLE(member.offset, at + 32);
    slab.writeUInt32LE(member.storedLength, at + 40);
    slab.writeUInt32LE(member.plainLength, at + 44);
    slab.writeUInt32LE(object, at + 48);
    slab.writeUInt32LE(member.crc32c, at + 52);
    slab.set(member.storedDigest, at + STORED_DIGEST_AT);
  }

  /** Throws a `RangeError` behind the end. The digest is a view that must not be changed. */
  get(index: number): MemberLocation {
    const slab = this.#slabOf(index);
    const at = (index % RECORDS_PER_SLAB) * RECORD_BYTES;
    const object = this.#objects[slab.readUInt32LE(at + 48)];
    if (object === undefined || index >= this.#length) throw new RangeError(`no member ${index}`);
    return {
      object: object.key,
      codec: object.codec,
      offset: slab.readDoubleLE(at + 32),
      storedLength: slab.readUInt32LE(at + 40),
      plainLength: slab.readUInt32LE(at + 44),
      sha256: slab.subarray(at, at + 32),
      crc32c: slab.readUInt32LE(at + 52),
      storedDigest: slab.subarray(at + STORED_DIGEST_AT, at + STORED_DIGEST_AT + STORED_DIGEST_BYTES),
    };
  }

  openCursor(): MemberCursor {
    return { at: (index) => this.get(index) };
  }

  plainLength(index: number): number {
    return this.#slabOf(index).readUInt32LE((index % RECORDS_PER_SLAB) * RECORD_BYTES + 44);
  }

  /** The first four bytes of the digest, as good as any hash. */
  hash(index: number): number {
    return this.#slabOf(index).readUInt32LE((index % RECORDS_PER_SLAB) * RECORD_BYTES);
  }

  hasDigest(index: number, sha256: Uint8Array): boolean {
    const at = (index % RECORDS_PER_SLAB) * RECORD_BYTES;
    return this.#slabOf(index).compare(sha256, 0, 32, at, at + 32) === 0;
  }

  #slabOf(index: number): Buffer {
    const slab = this.#slabs[Math.floor(index / RECORDS_PER_SLAB)];
    if (slab === undefined) throw new RangeError(`no member ${index}`);
    return slab;
  }
}
