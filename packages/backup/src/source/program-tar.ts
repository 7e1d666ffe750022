import { TarScanner } from "@soar/seekable-tar";

const LABEL = "backup_label";
const MANIFEST = "backup_manifest";

/**
 * Takes apart what `pg_basebackup -D - -Ft -X none` writes: the server's tar of the data directory, with `backup_manifest`
 * put in as its last entry. Passing it on without that entry gives the very tar that the replication protocol carries.
 */
export class ProgramTar {
  readonly #scanner = new TarScanner();
  /** Since the last entry: headers of the next one, or the end. */
  #held: Buffer[] = [];
  #entry: "none" | "passed" | typeof LABEL | typeof MANIFEST = "none";
  #collected: Buffer[] = [];
  #label: Buffer | undefined;
  #manifest: Buffer | undefined;

  /** Content of `backup_label`, once its entry has passed. */
  get label(): Buffer | undefined {
    return this.#label;
  }

  /** Content of `backup_manifest`, once the stream has ended. */
  get manifest(): Buffer | undefined {
    return this.#manifest;
  }

  /** What is to be passed on of a chunk, mostly as views on it. Throws `FORMAT_INVALID`. */
  *split(chunk: Buffer): Generator<Buffer, void, undefined> {
    for (const piece of this.#scanner.scan(chunk)) {
      if (piece.kind === "entry") {
        this.#entry = piece.entry.path === MANIFEST || piece.entry.path === LABEL ? piece.entry.path : "passed";
        if (this.#entry !== MANIFEST) yield* this.#held;
        this.#held = [];
      } else if (piece.kind === "entry-end") {
        this.#endEntry();
      } else if (this.#entry === "none") {
        this.#held.push(piece.bytes);
      } else {
        if (piece.kind === "content" && this.#entry !== "passed") this.#collected.push(piece.bytes);
        if (this.#entry !== MANIFEST) yield piece.bytes;
      }
    }
  }

  /** The end of the tar. Throws `FORMAT_INVALID` when it was cut off. */
  *end(): Generator<Buffer, void, undefined> {
    this.#scanner.finish();
    yield* this.#held;
    this.#held = [];
  }

  #endEntry(): void {
    const content = Buffer.concat(this.#collected);
    if (this.#entry === LABEL) this.#label = content;
    if (this.#entry === MANIFEST) this.#manifest = content;
    this.#collected = [];
    this.#entry = "none";
  }
}
