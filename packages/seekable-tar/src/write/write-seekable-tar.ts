import { createHash } from "node:crypto";
import { free, mapOrdered } from "@soar/task-pool";
import { type Codec, DEFAULT_CHUNK_BYTES } from "../codec/codec.ts";
import type { CodecPool } from "../codec-pool.ts";
import type { MemberLocation } from "../table/row.ts";
import type { SeekTableWriter } from "../table/seek-table-writer.ts";
import { memberize, type PlainMember } from "./memberize.ts";
import { MemoryRecycler } from "./memory-recycler.ts";

export interface WriteSeekableTarOptions {
  /** A tar stream with any chunk boundaries; chunks are copied before the next one is asked for. */
  readonly source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Name of the archive in the seek table. */
  readonly name: string;
  /** Key of the object that `body` will be stored as. */
  readonly objectKey: string;
  readonly codec: Codec;
  readonly level?: number | undefined;
  readonly table: SeekTableWriter;
  readonly pool: CodecPool;
  readonly chunkBytes?: number | undefined;
  readonly bundleBytes?: number | undefined;
  readonly largeFileBytes?: number | undefined;
  /**
   * For an incremental backup: where a member with these plain bytes lies already, for example `DigestIndex.find`. It is
   * referred to there and not part of `body`.
   */
  readonly resolveExisting?: ((sha256: Buffer, plainLength: number) => MemberLocation | undefined) | undefined;
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
   * The object to store: the new members one behind the other. Without `resolveExisting` it is an ordinary compressed
   * tar. To be read once. Fails with `FORMAT_INVALID` when the source is no complete tar, and with what the source,
   * the sink of the table or the pool fail with; nothing must be kept of a body that failed.
   */
  readonly body: AsyncGenerator<Buffer, void, undefined>;
  /** Totals, once `body` was read to its end. */
  summary(): WriteSummary;
}

/** Members in work or waiting for their turn, and the plain bytes that they may hold: enough to keep all workers busy. */
const ITEMS_PER_WORKER = 3;
const BYTES_PER_WORKER = 6 * 1024 * 1024;

/** Turns a tar stream into independent members, compressed by the pool, in order, and describes them in the table. */
export function writeSeekableTar(options: WriteSeekableTarOptions): SeekableTarWrite {
  const write = new ArchiveWrite(options);
  return { body: write.body(), summary: () => write.summary() };
}

interface Packed {
  readonly entries: PlainMember["entries"];
  readonly plainLength: number;
  readonly sha256: Buffer;
  /** The stored bytes, or where they lie already. */
  readonly stored: Buffer | MemberLocation;
}

class ArchiveWrite {
  readonly #options: WriteSeekableTarOptions;
  readonly #memory = new MemoryRecycler();
  readonly #hash = createHash("sha256");
  readonly #totals = { plainBytes: 0, storedBytes: 0, members: 0, entries: 0, newMembers: 0, newPlainBytes: 0 };
  #summary: WriteSummary | undefined;

  constructor(options: WriteSeekableTarOptions) {
    this.#options = options;
  }

  async *body(): AsyncGenerator<Buffer, void, undefined> {
    const { source, pool, table, name, signal, onProgress } = this.#options;
    const { chunkBytes = DEFAULT_CHUNK_BYTES, bundleBytes, largeFileBytes } = this.#options;
    const members = memberize(source, { chunkBytes, bundleBytes, largeFileBytes, memory: this.#memory });
    const pack = async (member: PlainMember, stop: AbortSignal): Promise<Packed> => await this.#pack(member, stop);
    const limits = {
      maxItems: pool.workers * ITEMS_PER_WORKER + 1,
      maxWeight: pool.workers * BYTES_PER_WORKER,
      weigh: memoryOf,
      signal,
      abandonSource: true,
    };
    table.beginArchive(name);
    for await (const packed of mapOrdered(members, pack, limits)) {
      const stored = this.#record(packed);
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

  async #pack({ plain, entries }: PlainMember, signal: AbortSignal): Promise<Packed> {
    const { pool, codec, level, resolveExisting } = this.#options;
    const plainLength = plain.length;
    let bytes = plain;
    if (resolveExisting !== undefined) {
      const digest = await pool.digest(bytes, { transfer: true, signal });
      bytes = digest.plain;
      const existing = resolveExisting(digest.sha256, plainLength);
      if (existing !== undefined) {
        this.#memory.give(bytes);
        return { entries, plainLength, sha256: digest.sha256, stored: existing };
      }
    }
    const packed = await pool.compress(codec, bytes, { level, transfer: true, signal });
    this.#memory.give(packed.plain);
    return { entries, plainLength, sha256: packed.sha256, stored: packed.stored };
  }

  /** Writes the rows of one member; returns what is to be stored of it. */
  #record({ entries, plainLength, sha256, stored }: Packed): Buffer | undefined {
    const { table, objectKey: object, codec } = this.#options;
    const totals = this.#totals;
    for (const entry of entries) table.addEntry(entry);
    totals.entries += entries.length;
    totals.members++;
    totals.plainBytes += plainLength;
    if (!Buffer.isBuffer(stored)) {
      table.addMember(stored);
      return undefined;
    }
    table.addMember({ object, codec, offset: totals.storedBytes, storedLength: stored.length, plainLength, sha256 });
    this.#hash.update(stored);
    totals.storedBytes += stored.length;
    totals.newMembers++;
    totals.newPlainBytes += plainLength;
    return stored;
  }
}

function memoryOf({ plain }: PlainMember): number {
  return plain.buffer.byteLength;
}
