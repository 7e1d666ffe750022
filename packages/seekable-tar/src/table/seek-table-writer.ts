import { createHash } from "node:crypto";
import { compressMember } from "../codec/member.ts";
import type { MemberLocation, PlacedEntry, TableRow } from "./row.ts";
import { formatRow } from "./format-row.ts";

/** One compressed piece of a stored seek table; the record of the backup keeps the list, because frames hide their ends. */
export interface TableFrame {
  readonly storedLength: number;
  readonly plainLength: number;
  /** SHA-256 of the plain bytes in hexadecimal. */
  readonly sha256: string;
}

export interface SeekTableSummary {
  readonly frames: readonly TableFrame[];
  readonly archives: number;
  readonly members: number;
  readonly entries: number;
  /** Length of the stored table, all frames together. */
  readonly storedBytes: number;
  /** SHA-256 of the stored table in hexadecimal. */
  readonly storedSha256: string;
}

export interface SeekTableWriterOptions {
  readonly chunkBytes: number;
  /** Takes the frames in order; together they are the object to store. May be slow: nothing is collected meanwhile. */
  readonly sink: (frame: Buffer) => Promise<void> | void;
  /** Plain bytes of a frame; by default 4 MiB. */
  readonly frameBytes?: number | undefined;
}

/**
 * Writes a seek table as zstd frames of at most 4 MiB of text. Rows are added without waiting; `drain` waits until what
 * is full has been taken by the sink, and rejects with what the sink rejected with.
 */
export class SeekTableWriter {
  readonly #sink: (frame: Buffer) => Promise<void> | void;
  readonly #frameBytes: number;
  readonly #frames: TableFrame[] = [];
  readonly #objects = new Map<string, number>();
  readonly #storedHash = createHash("sha256");
  /** Lines go here as bytes at once: kept as text until a frame is full, they made the heap ten times as large. */
  #plain: Buffer;
  #plainBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #storedBytes = 0;
  #archive = { members: 0, entries: 0, plainBytes: 0 };
  #totals = { archives: 0, members: 0, entries: 0 };

  constructor({ chunkBytes, sink, frameBytes = 4 * 1024 * 1024 }: SeekTableWriterOptions) {
    this.#sink = sink;
    this.#frameBytes = frameBytes;
    this.#plain = Buffer.allocUnsafeSlow(frameBytes);
    this.#add({ kind: "header", chunkBytes });
  }

  /** Begins the next archive of the backup. */
  beginArchive(name: string): void {
    this.#archive = { members: 0, entries: 0, plainBytes: 0 };
    this.#add({ kind: "archive", name });
  }

  /** Adds an entry; it has to come before the member that its content begins in. */
  addEntry(entry: PlacedEntry): void {
    this.#archive.entries++;
    this.#add({ kind: "entry", entry });
  }

  /** Adds the next member of the tar stream, wherever it lies. */
  addMember({ object: key, codec, ...member }: MemberLocation): void {
    let object = this.#objects.get(key);
    if (object === undefined) {
      object = this.#objects.size;
      this.#objects.set(key, object);
      this.#add({ kind: "object", key, codec });
    }
    this.#archive.members++;
    this.#archive.plainBytes += member.plainLength;
    this.#add({ kind: "member", object, ...member });
  }

  endArchive(): void {
    this.#totals.archives++;
    this.#totals.members += this.#archive.members;
    this.#totals.entries += this.#archive.entries;
    this.#add({ kind: "archive-end", ...this.#archive });
  }

  async drain(): Promise<void> {
    await this.#writing;
  }

  /** Writes the last line and frame. A table without it is refused by every reader. */
  async end(): Promise<SeekTableSummary> {
    this.#add({ kind: "end", archives: this.#totals.archives });
    this.#flush();
    await this.#writing;
    return {
      frames: this.#frames,
      ...this.#totals,
      storedBytes: this.#storedBytes,
      storedSha256: this.#storedHash.digest("hex"),
    };
  }

  #add(row: TableRow): void {
    const line = formatRow(row);
    const bytes = Buffer.byteLength(line);
    if (this.#plainBytes > 0 && this.#plainBytes + bytes > this.#frameBytes) this.#flush();
    // A single line may be longer than a frame; then it has one of its own.
    if (bytes > this.#plain.length) this.#plain = Buffer.allocUnsafeSlow(bytes);
    this.#plainBytes += this.#plain.write(line, this.#plainBytes);
  }

  #flush(): void {
    const plain = this.#plain.subarray(0, this.#plainBytes);
    this.#plain = Buffer.allocUnsafeSlow(this.#frameBytes);
    this.#plainBytes = 0;
    const before = this.#writing;
    this.#writing = this.#write(before, plain);
    // Whoever drains next gets the failure. Until then it must not count as unhandled, which would end the process.
    this.#writing.catch(() => undefined);
  }

  async #write(before: Promise<void>, plain: Buffer): Promise<void> {
    await before;
    const stored = await compressMember("zstd", plain);
    this.#frames.push({
      storedLength: stored.length,
      plainLength: plain.length,
      sha256: createHash("sha256").update(plain).digest("hex"),
    });
    this.#storedHash.update(stored);
    this.#storedBytes += stored.length;
    await this.#sink(stored);
  }
}
