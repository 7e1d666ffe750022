import { DEFAULT_CHUNK_BYTES } from "../codec/codec.ts";
import type { CodecPool } from "../codec-pool.ts";
import type { MemberLocation } from "../table/row.ts";
import { memberize, type PlainMember } from "./memberize.ts";
import { MemoryRecycler } from "./memory-recycler.ts";
import { type PackedMember, type SeekableTarWrite, writeMembers, type WriteMembersOptions } from "./member-writer.ts";

type Passed = "name" | "objectKey" | "further" | "codec" | "table" | "releaseBody" | "onProgress" | "signal";

export interface WriteSeekableTarOptions extends Pick<WriteMembersOptions<never>, Passed> {
  /** A tar stream with any chunk boundaries; chunks are copied before the next one is asked for. */
  readonly source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  readonly level?: number | undefined;
  readonly pool: CodecPool;
  readonly chunkBytes?: number | undefined;
  readonly bundleBytes?: number | undefined;
  readonly largeFileBytes?: number | undefined;
  /**
   * For an incremental backup: where a member with these plain bytes lies already, for example `DigestIndex.find`. It is
   * referred to there and not part of `body`.
   */
  readonly resolveExisting?: ((sha256: Buffer, plainLength: number) => MemberLocation | undefined) | undefined;
}

/** Members in work or waiting for their turn, and the plain bytes that they may hold: enough to keep all workers busy. */
const ITEMS_PER_WORKER = 3;
const BYTES_PER_WORKER = 6 * 1024 * 1024;

/**
 * Turns a tar stream into independent members, compressed by the pool, in order, and describes them in the table. Its body
 * fails with `FORMAT_INVALID` when the source is no complete tar.
 */
export function writeSeekableTar(options: WriteSeekableTarOptions): SeekableTarWrite {
  const { source, pool, chunkBytes = DEFAULT_CHUNK_BYTES, bundleBytes, largeFileBytes, ...passed } = options;
  const memory = new MemoryRecycler();
  return writeMembers({
    ...passed,
    items: memberize(source, { chunkBytes, bundleBytes, largeFileBytes, memory }),
    pack: async (member, signal) => await packMember(member, { ...options, memory, signal }),
    maxItems: pool.workers * ITEMS_PER_WORKER + 1,
    maxWeight: pool.workers * BYTES_PER_WORKER,
    weigh: memoryOf,
  });
}

interface PackOptions extends WriteSeekableTarOptions {
  readonly memory: MemoryRecycler;
}

async function packMember({ plain, entries }: PlainMember, options: PackOptions): Promise<PackedMember> {
  const { pool, codec, level, resolveExisting, memory, signal } = options;
  const plainLength = plain.length;
  const entriesAt = () => entries;
  let bytes = plain;
  if (resolveExisting !== undefined) {
    const digest = await pool.digest(bytes, { transfer: true, signal });
    bytes = digest.plain;
    const existing = resolveExisting(digest.sha256, plainLength);
    if (existing !== undefined) {
      memory.give(bytes);
      return { entriesAt, plainLength, content: existing };
    }
  }
  const { plain: used, ...content } = await pool.compress(codec, bytes, { level, transfer: true, signal });
  memory.give(used);
  return { entriesAt, plainLength, content };
}

function memoryOf({ plain }: PlainMember): number {
  return plain.buffer.byteLength;
}
