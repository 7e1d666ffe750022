import { createHash } from "node:crypto";
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
  /** Key of the object that `body` will be stored as. */
  readonly objectKey: string;
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

export interface WriteProgress {
  /** Bytes of the tar stream that are stored or referred to. */
  readonly plainBytes: number;
  /** Bytes of `body` so far. */
  readonly storedBytes: number;
}

export interface WriteSummary extends WriteProgress {
  readonly members: number;
  readonly entries: number;
  /** Members that are part of `body`, and their plain bytes: all of them, unless `resolveExisting` found some. */
  readonly newMembers: number;
  readonly newPlainBytes: number;
  /** SHA-256 of `body` in hexadecimal. */
  readonly storedSha256: string;
}

export interface SeekableTarWrite {
  /**
   * The object to store: the new members one behind the other. Where none lies elsewhere already it is an ordinary
   * compressed tar. To be read once. Fails with what the items, the packing or the sink of the table fail with; nothing
   * must be kept of a body that failed.
   */
  readonly body: AsyncGenerator<Buffer, void, undefined>;
  /** Totals, once `body` was read to its end. */
  summary(): WriteSummary;
}

/** Makes one archive of members that are packed side by side, in order, and describes them in the table. */
export function writeMembers<Item>(options: WriteMembersOptions<Item>): SeekableTarWrite {
  const write = new MemberWriter(options);
  return { body: write.body(), summary: () => write.summary() };
}

class MemberWriter<Item> {
  readonly #options: WriteMembersOptions<Item>;
  readonly #hash = createHash("sha256");
  readonly #totals = { plainBytes: 0, storedBytes: 0, members: 0, entries: 0, newMembers: 0, newPlainBytes: 0 };
  #summary: WriteSummary | undefined;

  constructor(options: WriteMembersOptions<Item>) {
    this.#options = options;
  }

  async *body(): AsyncGenerator<Buffer, void, undefined> {
    const { items, pack, table, name, signal, onProgress, maxItems, maxWeight, weigh } = this.#options;
    const limits = { maxItems, maxWeight, weigh, signal, abandonSource: true };
    table.beginArchive(name);
    for await (const packed of mapOrdered(items, pack, limits)) {
      const stored = packed.plainLength === 0 ? undefined : this.#record(packed);
      await table.drain();
      onProgress?.({ plainBytes: this.#totals.plainBytes, storedBytes: this.#totals.storedBytes });
      if (stored === undefined) continue;
      yield stored;
      if (this.#options.releaseBody === true) free(stored);
    }
    table.endArchive();
    await table.drain();
    this.#summary = { ...this.#totals, storedSha256: this.#hash.digest("hex") };
  }

  summary(): WriteSummary {
    if (this.#summary === undefined) throw new Error("the body was not read to its end");
    return this.#summary;
  }

  /** Writes the rows of one member; returns what is to be stored of it. */
  #record({ entriesAt, plainLength, content }: PackedMember): Buffer | undefined {
    const { table, objectKey: object, codec } = this.#options;
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
    table.addMember({ object, codec, offset: totals.storedBytes, storedLength: stored.length, plainLength, ...sums });
    this.#hash.update(stored);
    totals.storedBytes += stored.length;
    totals.newMembers++;
    totals.newPlainBytes += plainLength;
    return stored;
  }
}
