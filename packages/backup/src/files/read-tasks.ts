import type { ReadableTree } from "@soar/durable-files/reading";
import type { Codec } from "@soar/seekable-tar";

/** How pages are judged while they are read; absent for files that hold none and for clusters without checksums. */
export interface PageRules {
  readonly blockSize: number;
  /** Pages changed at this position or later may be torn; replay replaces them. */
  readonly changedBefore: bigint;
}

/** A run of bytes of a file, to be read as far as they are there: what is missing is zeros. */
export interface FileRun {
  /** For messages. */
  readonly path: string;
  readonly position: number;
  readonly length: number;
  /** Number of the first block of this run in its fork, for files of pages. */
  readonly firstBlock: number | undefined;
}

/** A small file that the reader opens by itself, with what stands in front of it and behind it. */
export interface SmallFile extends FileRun {
  readonly tree: ReadableTree;
  /** Below the tree, as bytes: names of files are. */
  readonly place: Uint8Array;
  readonly header: Uint8Array;
  readonly padding: number;
}

export type BundlePiece =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "file"; readonly file: SmallFile };

export interface Packing {
  readonly codec: Codec;
  readonly level: number | undefined;
  readonly pages: PageRules | undefined;
  /** Whether to compress also what earlier backups seem to hold. */
  readonly always: boolean;
}

/** What a reader can be asked for. A chunk comes from a file that is open already: descriptors are shared by all threads. */
export type ReadTask =
  | { readonly kind: "bundle"; readonly packing: Packing; readonly pieces: readonly BundlePiece[] }
  | { readonly kind: "chunk"; readonly packing: Packing; readonly fd: number; readonly run: FileRun };

/** What was found in one run of a file. */
export interface ReadRun {
  /** CRC-32C of the content. */
  readonly crc: number;
  readonly damaged: readonly DamagedBlock[];
}

export interface DamagedBlock {
  readonly blockNumber: number;
  readonly found: number;
  readonly expected: number;
}

export interface PackedRun {
  readonly plainLength: number;
  readonly sha256: Uint8Array;
  /** CRC-32C of the plain bytes. */
  readonly crc32c: number;
  /** Undefined when an earlier backup seems to hold these very bytes. */
  readonly stored: { readonly bytes: Uint8Array; readonly digest: Uint8Array } | undefined;
  /** Of a bundle in the order of its pieces, for each where it begins and, of a file, what was read; undefined for a file that had vanished. */
  readonly pieces: readonly (PackedPiece | undefined)[];
}

export interface PackedPiece {
  /** Of the bytes, or of a file's content, within the member. */
  readonly offset: number;
  readonly run: ReadRun | undefined;
}
