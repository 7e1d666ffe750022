import { createHash, type Hash } from "node:crypto";
import { free, mapOrdered } from "@soar/task-pool";
import type { Codec } from "../codec/codec.ts";
import type { MemberLocation, MemberSums, PlacedEntry } from "../table/row.ts";
import type { SeekTableWriter } from "../table/seek-table-writer.ts";

/** A member that is ready to be recorded. */
export interface PackedMember {
  /** Entries that became known with this member, given its number in the archive. */
  readonly entriesAt: (member: number) => readonly PlacedEntry[];
  /** 0 when nothing came of it: then there is neither a member nor an entry. */
  readonly plainLength: number;
  /** The stored bytes and what they hold, or where they lie already. */
  readonly content: NewMember | MemberLocation;
}

/** A member that is to be stored. */
export interface NewMember extends MemberSums {
  readonly stored: Buffer;
}

export interface WriteMembersOptions<Item> {
  /** What members are made of, in the order of the archive. */
  readonly items: AsyncIterable<Item> | Iterable<Item>;
  /** Makes the member of an item; called for several at once. */
  readonly pack: (item: Item, signal: AbortSignal) => Promise<PackedMember>;
  /** Items in work, or done and waiting for their turn. */
  readonly maxItems: number;
  /** What these may weigh together; without a limit unless said otherwise. */
  readonly maxWeight?: number | undefined;
  readonly weigh?: ((item: Item) => number) | undefined;
  /** Name of the archive in the seek table. */
  readonly name: string;
  /** Key of the object that `body` will be stored as, or of the first of `objects`. */
  readonly objectKey: string;
  /** For an archive that may be too large for one object, read through `objects`. Everything goes into one unless said otherwise. */
  readonly further?: FurtherObjects | undefined;
  readonly codec: Codec;
  readonly table: SeekTableWriter;
  /**
   * Whether the memory of each piece of `body` is given back when the next one is asked for, because the reader has copied
   * it by then, as `uploadStream` does. The collector sees small objects only, and runs all the time to find these.
   */
  readonly releaseBody?: boolean | undefined;
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where an archive goes on when an object is full. */
export interface FurtherObjects {
  /** Most stored bytes of an object. A single member that has more gets an object of its own. */
  readonly bytes: number;
  /** Key of the second object and of those behind it. */
  readonly keyOf: (number: number) => string;
}

export interface WriteProgress {
  /** Bytes of the tar stream that are stored or referred to. */
  readonly plainBytes: number;
  /** Bytes of `body`, or of all objects, so far. */
  readonly storedBytes: number;
}

export interface WriteSummary extends WriteProgress {
  readonly members: number;
  readonly entries: number;
  /** Members that are part of `body`, and their plain bytes: all of them, unless `resolveExisting` found some. */
  readonly newMembers: number;
  readonly newPlainBytes: number;
  /** What there is to be stored, in order. */
  readonly objects: readonly WrittenObject[];
}

/** One object of an archive. */
export interface WrittenObject {
  readonly key: string;
  readonly storedBytes: number;
  /** SHA-256 of its bytes in hexadecimal. */
  readonly storedSha256: string;
}

/** An object to store, which is read to its end before the next one is asked for. */
export interface ObjectToStore {
  readonly key: string;
  readonly body: AsyncGenerator<Buffer, void, undefined>;
}

export interface SeekableTarWrite {
  /**
   * The object to store: the new members one behind the other. Where none lies elsewhere already it is an ordinary
   * compressed tar. To be read once. Fails with what the items, the packing or the sink of the table fail with; nothing
   * must be kept of a body that failed.
   */
  readonly body: AsyncGenerator<Buffer, void, undefined>;
  /** The same, instead of `body`, cut between members where an object is full: see `further`. There is at least one object, which may be empty. */
  objects(): AsyncGenerator<ObjectToStore, void, undefined>;
  /** Totals, once everything was read to its end. */
  summary(): WriteSummary;
}

/** Makes one archive of members that are packed side by side, in order, and describes them in the table. */
export function writeMembers<Item>(options: WriteMembersOptions<Item>): SeekableTarWrite {
  const write = new MemberWriter(options);
  return { body: write.body(), objects: () => write.objects(), summary: () => write.summary() };
}

class MemberWriter<Item> {
  readonly #options: WriteMembersOptions<Item>;
  readonly #objects: WrittenObject[] = [];
  #object: OpenObject;
  readonly #totals = { plainBytes: 0, storedBytes: 0, members: 0, entries: 0, newMembers: 0, newPlainBytes: 0 };
  #summary: WriteSummary | undefined;

  constructor(options: WriteMembersOptions<Item>) {
    this.#options = options;
    this.#object = openObject(1, options.objectKey);
  }

  async *body(): AsyncGenerator<Buffer, void, undefined> {
    for await (const { stored } of this.#pieces()) yield stored;
  }

  async *objects(): AsyncGenerator<ObjectToStore, void, undefined> {
    const pieces = this.#pieces();
    try {
      let next = await pieces.next();
      do {
        const { key, number } = this.#object;
        const body = async function* (): AsyncGenerator<Buffer, void, undefined> {
          for (; next.done !== true && next.value.number === number; next = await pieces.next())
            yield next.value.stored;
        };
        yield { key, body: body() };
      } while (next.done !== true);
    } finally {
      await pieces.return();
    }
  }

  /** What is to be stored, and in which object. */
  async *#pieces(): AsyncGenerator<Piece, void, undefined> {
    const { items, pack, table, name, signal, onProgress, maxItems, maxWeight, weigh } = this.#options;
    const limits = { maxItems, maxWeight, weigh, signal, abandonSource: true };
    table.beginArchive(name);
    for await (const packed of mapOrdered(items, pack, limits)) {
      const stored = packed.plainLength === 0 ? undefined : this.#record(packed);
      await table.drain();
      onProgress?.({ plainBytes: this.#totals.plainBytes, storedBytes: this.#totals.storedBytes });
      if (stored === undefined) continue;
      yield { stored, number: this.#object.number };
      if (this.#options.releaseBody === true) free(stored);
    }
    table.endArchive();
    await table.drain();
    this.#endObject();
    this.#summary = { ...this.#totals, objects: this.#objects };
  }

  summary(): WriteSummary {
    if (this.#summary === undefined) throw new Error("the body was not read to its end");
    return this.#summary;
  }

  /** Writes the rows of one member; returns what is to be stored of it. */
  #record({ entriesAt, plainLength, content }: PackedMember): Buffer | undefined {
    const { table, codec } = this.#options;
    const totals = this.#totals;
    const entries = entriesAt(totals.members);
    for (const entry of entries) table.addEntry(entry);
    totals.entries += entries.length;
    totals.members++;
    totals.plainBytes += plainLength;
    if (!("stored" in content)) {
      table.addMember(content);
      return undefined;
    }
    const { stored, ...sums } = content;
    const object = this.#objectFor(stored.length);
    const place = { object: object.key, codec, offset: object.storedBytes, storedLength: stored.length };
    table.addMember({ ...place, plainLength, ...sums });
    object.hash.update(stored);
    object.storedBytes += stored.length;
    totals.storedBytes += stored.length;
    totals.newMembers++;
    totals.newPlainBytes += plainLength;
    return stored;
  }

  /** The open object, or the next one where that is full. */
  #objectFor(length: number): OpenObject {
    const { further } = this.#options;
    const { number, storedBytes } = this.#object;
    if (further === undefined || storedBytes === 0 || storedBytes + length <= further.bytes) return this.#object;
    this.#endObject();
    this.#object = openObject(number + 1, further.keyOf(number + 1));
    return this.#object;
  }

  #endObject(): void {
    const { key, storedBytes, hash } = this.#object;
    this.#objects.push({ key, storedBytes, storedSha256: hash.digest("hex") });
  }
}

interface Piece {
  readonly stored: Buffer;
  /** Of the object that it belongs to. */
  readonly number: number;
}

interface OpenObject {
  readonly number: number;
  readonly key: string;
  readonly hash: Hash;
  storedBytes: number;
}

const openObject = (number: number, key: string): OpenObject => ({
  number,
  key,
  hash: createHash("sha256"),
  storedBytes: 0,
});
