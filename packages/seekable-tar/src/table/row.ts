import type { Codec } from "../codec/codec.ts";
import type { TarEntry } from "../tar/tar-entry.ts";

/** The name and version in the first line of every seek table. */
export const TABLE_FORMAT = "soar-seek-table";
export const TABLE_VERSION = 2;

/** By what the bytes of a member are recognised. */
export interface MemberSums {
  /** SHA-256 of the plain bytes. */
  readonly sha256: Buffer;
  /** CRC-32C of the plain bytes. */
  readonly crc32c: number;
  /** First eight bytes of the SHA-256 of the stored bytes. */
  readonly storedDigest: Buffer;
}

/** Where a member lies and what it holds. */
export interface MemberLocation extends MemberSums {
  /** Key of the object. */
  readonly object: string;
  readonly codec: Codec;
  /** Position of its first stored byte in the object. */
  readonly offset: number;
  readonly storedLength: number;
  readonly plainLength: number;
}

/** A tar entry and where its content begins: at `offset` of the member with number `member` of the archive. */
export interface PlacedEntry extends TarEntry {
  readonly member: number;
  readonly offset: number;
}

/** A member; `object` is the number of an object. */
export interface MemberRow extends Omit<MemberLocation, "object" | "codec"> {
  readonly kind: "member";
  readonly object: number;
}

/** One line of a seek table. The README of this package specifies the format. */
export type TableRow =
  | { readonly kind: "header"; readonly chunkBytes: number }
  | { readonly kind: "object"; readonly key: string; readonly codec: Codec }
  | { readonly kind: "archive"; readonly name: string }
  | { readonly kind: "entry"; readonly entry: PlacedEntry }
  | MemberRow
  | { readonly kind: "archive-end"; readonly members: number; readonly entries: number; readonly plainBytes: number }
  | { readonly kind: "end"; readonly archives: number };
