import { DEFAULT_CHUNK_BYTES } from "../codec/codec.ts";
import type { PlacedEntry } from "../table/row.ts";
import type { TarEntry } from "../tar/tar-entry.ts";
import { TarScanner, type TarPiece } from "../tar/tar-scanner.ts";
import { type Cutting, cuttingOf, type CuttingOptions, endsBundle } from "./bundling.ts";
import { MemoryRecycler } from "./memory-recycler.ts";

export interface MemberizeOptions extends Omit<CuttingOptions, "chunkBytes"> {
  /** By default 1 MiB. */
  readonly chunkBytes?: number | undefined;
  /** Where the memory of members comes from; give it back there when a member is done with. */
  readonly memory?: MemoryRecycler | undefined;
}

/** A run of the tar stream that is compressed by itself. */
export interface PlainMember {
  /** At the start of memory that nothing else uses. */
  readonly plain: Buffer;
  /** Entries that became known with this member. Their content begins in it, or in the next one. */
  readonly entries: readonly PlacedEntry[];
}

/**
 * Cuts a tar stream into members. Small files and all headers are bundled; the content of a large file is cut on a grid
 * of file offsets into members that hold nothing else, so that a later backup recognises every unchanged chunk by its
 * digest, whatever stands before it. Chunks of the source may have any boundaries and are copied before the next one is
 * asked for, so that the source may reuse its buffers. Throws `FORMAT_INVALID` for anything that is no complete tar.
 */
export async function* memberize(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: MemberizeOptions = {},
): AsyncGenerator<PlainMember, void, undefined> {
  const scanner = new TarScanner();
  const cutter = new MemberCutter(options);
  for await (const chunk of source) {
    for (const piece of scanner.scan(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)))
      yield* cutter.take(piece);
  }
  scanner.finish();
  yield* cutter.flush();
}

class MemberCutter {
  readonly #cutting: Cutting;
  /** What a bundle may hold: its last file was not large. */
  readonly #bundleLimit: number;
  readonly #memory: MemoryRecycler;
  #buffer: Buffer | undefined;
  #size = 0;
  #entries: PlacedEntry[] = [];
  #member = 0;
  #large = false;
  #path = "";

  constructor(options: MemberizeOptions) {
    this.#cutting = cuttingOf({ ...options, chunkBytes: options.chunkBytes ?? DEFAULT_CHUNK_BYTES });
    this.#bundleLimit = this.#cutting.bundleBytes + this.#cutting.largeFileBytes;
    this.#memory = options.memory ?? new MemoryRecycler();
  }

  *take(piece: TarPiece): Generator<PlainMember, void, undefined> {
    switch (piece.kind) {
      case "structure": {
        // Padding behind a large file goes to the next bundle: its last chunk holds only content, too.
        if (this.#large) yield* this.#endLargeFile();
        yield* this.#append(piece.bytes, this.#bundleLimit);
        break;
      }
      case "content": {
        yield* this.#append(piece.bytes, this.#large ? this.#cutting.chunkBytes : this.#bundleLimit);
        break;
      }
      case "entry": {
        yield* this.#begin(piece.entry);
        break;
      }
      case "entry-end": {
        if (this.#large) yield* this.#endLargeFile();
        else if (endsBundle(this.#size, this.#path, this.#cutting)) yield* this.flush();
        break;
      }
    }
  }

  *flush(): Generator<PlainMember, void, undefined> {
    if (this.#buffer === undefined) return;
    yield { plain: this.#buffer.subarray(0, this.#size), entries: this.#entries };
    this.#buffer = undefined;
    this.#size = 0;
    this.#entries = [];
    this.#member++;
  }

  *#begin(entry: TarEntry): Generator<PlainMember, void, undefined> {
    this.#path = entry.path;
    this.#large = entry.size >= this.#cutting.largeFileBytes;
    const startsNext = this.#large && this.#buffer !== undefined;
    this.#entries.push({
      ...entry,
      member: startsNext ? this.#member + 1 : this.#member,
      offset: startsNext ? 0 : this.#size,
    });
    if (this.#large) yield* this.flush();
  }

  *#endLargeFile(): Generator<PlainMember, void, undefined> {
    this.#large = false;
    yield* this.flush();
  }

  *#append(bytes: Buffer, limit: number): Generator<PlainMember, void, undefined> {
    for (let at = 0; at < bytes.length;) {
      this.#buffer ??= this.#memory.take(limit);
      const count = bytes.copy(this.#buffer, this.#size, at, at + limit - this.#size);
      this.#size += count;
      at += count;
      if (this.#size === limit) yield* this.flush();
    }
  }
}
