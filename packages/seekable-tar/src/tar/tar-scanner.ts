import { invalid } from "../codec/damage.ts";
import { decodeName } from "./entry-name.ts";
import { parsePaxRecords, type PaxFields } from "./pax-records.ts";
import { BLOCK_BYTES, type Extension, parseHeader } from "./parse-header.ts";
import type { TarEntry } from "./tar-entry.ts";

/**
 * A tar stream taken apart without losing a byte: `structure` (headers, padding, the end) and `content` together are the
 * stream. `entry` comes behind its header and before its content, `entry-end` behind its content and padding.
 */
export type TarPiece =
  | { readonly kind: "structure"; readonly bytes: Buffer }
  | { readonly kind: "content"; readonly bytes: Buffer }
  | { readonly kind: "entry"; readonly entry: TarEntry }
  | { readonly kind: "entry-end" };

/** A pax header or long name above this size is not taken into memory. */
const EXTENSION_LIMIT_BYTES = 1024 * 1024;

type State = "header" | "extension" | "content" | "padding" | "end";
const WHAT = "a tar stream";

/** Reads ustar, pax and GNU long names from chunks with any boundaries. Everything throws `FORMAT_INVALID`. */
export class TarScanner {
  #state: State = "header";
  /** The header block or extension body that is being collected. */
  #collected = Buffer.alloc(BLOCK_BYTES);
  #have = 0;
  /** Bytes left of content or padding. */
  #left = 0;
  #paddingAfter = 0;
  #inEntry = false;
  #zeroBlocks = 0;
  #extension: Extension = "pax";
  #local: PaxFields = {};
  #global: PaxFields = {};

  /** Takes the next bytes of the stream. The pieces are views on `chunk` and valid until it is reused. */
  *scan(chunk: Buffer): Generator<TarPiece, void, undefined> {
    for (let at = 0; at < chunk.length;) {
      const rest = chunk.subarray(at);
      if (this.#state === "header" || this.#state === "extension") {
        const bytes = rest.subarray(0, this.#wanted() - this.#have);
        bytes.copy(this.#collected, this.#have);
        this.#have += bytes.length;
        at += bytes.length;
        yield { kind: "structure", bytes };
        if (this.#have === this.#wanted()) yield* this.#state === "header" ? this.#endHeader() : this.#endExtension();
      } else if (this.#state === "end") {
        // `tar` fills its last record of 10 KiB with zeros; anything else would be lost to every reader.
        if (rest.some((byte) => byte !== 0)) throw invalid(WHAT, "bytes follow its end");
        at = chunk.length;
        yield { kind: "structure", bytes: rest };
      } else {
        const bytes = rest.subarray(0, this.#left);
        this.#left -= bytes.length;
        at += bytes.length;
        yield { kind: this.#state === "content" ? "content" : "structure", bytes };
        yield* this.#advance();
      }
    }
  }

  /** Passes over bytes of the stream that are content of the entry that is open, without seeing them. */
  *skipContent(length: number): Generator<TarPiece, void, undefined> {
    if (this.#state !== "content" || length > this.#left)
      throw invalid(WHAT, "the content of an entry ends before it should");
    this.#left -= length;
    yield* this.#advance();
  }

  /** Call behind the last chunk: a stream without its two closing blocks was cut off. */
  finish(): void {
    if (this.#state !== "end")
      throw invalid(WHAT, "it ends before its closing blocks", {
        hint: "The source was cut off. Take the backup again.",
      });
  }

  #wanted(): number {
    return this.#state === "header" ? BLOCK_BYTES : this.#left;
  }

  *#endHeader(): Generator<TarPiece, void, undefined> {
    this.#have = 0;
    const header = parseHeader(this.#collected, this.#local, this.#global);
    if (header.kind === "end") {
      this.#zeroBlocks++;
      if (this.#zeroBlocks === 2) this.#state = "end";
      return;
    }
    if (this.#zeroBlocks > 0) throw invalid(WHAT, "a header follows a closing block");
    if (header.kind === "extension") {
      this.#beginExtension(header.about, header.size);
      return;
    }
    this.#local = {};
    this.#inEntry = true;
    yield { kind: "entry", entry: header.entry };
    this.#begin("content", header.entry.size);
    yield* this.#advance();
  }

  #beginExtension(about: Extension, size: number): void {
    if (size === 0 || size > EXTENSION_LIMIT_BYTES)
      throw invalid(WHAT, `a header about the next entry has ${size} bytes`);
    this.#extension = about;
    this.#begin("extension", size);
    if (this.#collected.length < size) this.#collected = Buffer.alloc(size);
  }

  *#endExtension(): Generator<TarPiece, void, undefined> {
    const body = this.#collected.subarray(0, this.#have);
    this.#have = 0;
    this.#left = 0;
    if (this.#extension === "pax") this.#local = parsePaxRecords(body, this.#local);
    else if (this.#extension === "global") this.#global = parsePaxRecords(body, this.#global);
    else this.#local = { ...this.#local, [this.#extension]: decodeName(untilZero(body)) };
    yield* this.#advance();
  }

  #begin(state: State, bytes: number): void {
    this.#state = state;
    this.#left = bytes;
    this.#paddingAfter = (BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES;
  }

  /** Goes on to padding and the next header as soon as nothing is left of what came before. */
  *#advance(): Generator<TarPiece, void, undefined> {
    if (this.#left > 0) return;
    if (this.#state !== "padding" && this.#paddingAfter > 0) {
      this.#state = "padding";
      this.#left = this.#paddingAfter;
      return;
    }
    this.#state = "header";
    if (!this.#inEntry) return;
    this.#inEntry = false;
    yield { kind: "entry-end" };
  }
}

function untilZero(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}
