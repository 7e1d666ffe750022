import { isDeepStrictEqual } from "node:util";
import { invalid } from "../codec/damage.ts";
import type { SeekArchive } from "../table/seek-table.ts";
import type { TarEntry } from "../tar/tar-entry.ts";
import { type TarPiece, TarScanner } from "../tar/tar-scanner.ts";
import type { PlacedEntry } from "../table/row.ts";

/**
 * Compares a tar stream with what a seek table says of it: the same entries in the same order, with the same attributes,
 * their content at the same places, and the end where it should be. Members that hold nothing but content need not be shown.
 * Everything throws `FORMAT_INVALID` with the first difference.
 */
export class TarComparison {
  readonly #scanner = new TarScanner();
  readonly #archive: SeekArchive;
  #position = 0;
  #entry = 0;
  /** Of the member that `#entries[#entry]` lies in, and the bytes before that. */
  #member = 0;
  #memberStart = 0;

  constructor(archive: SeekArchive) {
    this.#archive = archive;
  }

  /** The plain bytes of the next member. */
  push(plain: Buffer): void {
    this.#take(this.#scanner.scan(plain));
  }

  /** The next member is nothing but `length` bytes of content. */
  skip(length: number): void {
    this.#position += length;
    this.#take(this.#scanner.skipContent(length));
  }

  /** Call behind the last member. */
  finish(): void {
    this.#scanner.finish();
    const missing = this.#archive.entries[this.#entry];
    if (missing !== undefined) throw different(this.#archive, `'${missing.path}' is in the table only`);
  }

  #take(pieces: Iterable<TarPiece>): void {
    for (const piece of pieces) {
      if (piece.kind === "structure" || piece.kind === "content") this.#position += piece.bytes.length;
      else if (piece.kind === "entry") this.#compare(piece.entry);
    }
  }

  #compare(found: TarEntry): void {
    const expected = this.#archive.entries[this.#entry++];
    if (expected === undefined) throw different(this.#archive, `'${found.path}' is in the stream only`);
    const { member: _, offset: __, ...described } = expected;
    if (!isDeepStrictEqual(described, found))
      throw different(
        this.#archive,
        `'${found.path}' is described as ${JSON.stringify(described)}, and is ${JSON.stringify(found)}`,
      );
    if (this.#placeOf(expected) !== this.#position)
      throw different(
        this.#archive,
        `the content of '${found.path}' begins at byte ${this.#position} of the stream, not at ${this.#placeOf(expected)}`,
      );
  }

  #placeOf({ member, offset }: PlacedEntry): number {
    for (; this.#member < member; this.#member++) this.#memberStart += this.#archive.members.plainLength(this.#member);
    return this.#memberStart + offset;
  }
}

function different({ name }: SeekArchive, fact: string): Error {
  return invalid(`the archive '${name}'`, `its seek table does not fit it: ${fact}`);
}
