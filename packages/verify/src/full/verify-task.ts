import type { WalObject } from "@soar/repository/wal";
import type { Codec } from "@soar/seekable-tar";

/**
 * What a worker is asked: to open and check the members in a range of an object, to compare their stored bytes alone, or to
 * check a whole WAL object.
 */
export type VerifyTask = RangeTask | StoredRangeTask | SegmentTask;

export interface RangeTask {
  readonly kind: "range";
  readonly codec: Codec;
  readonly stored: Uint8Array;
  readonly members: readonly MemberTask[];
}

export interface StoredRangeTask {
  readonly kind: "stored";
  readonly stored: Uint8Array;
  /** Where each member begins in `stored`, its length, and what is recorded of its bytes. */
  readonly members: readonly {
    readonly offset: number;
    readonly storedLength: number;
    readonly storedDigest: Uint8Array;
  }[];
}

export interface MemberTask {
  /** Of its first byte in `stored`. */
  readonly offset: number;
  readonly storedLength: number;
  readonly plainLength: number;
  readonly sha256: Uint8Array;
  readonly runs: readonly RunTask[];
  /** Whether the plain bytes are wanted: they hold headers of the tar. */
  readonly returnsPlain: boolean;
}

/** Bytes of one file in a member. */
export interface RunTask {
  readonly plainOffset: number;
  readonly length: number;
  /** Set for pages with checksums. */
  readonly pages: PageRules | undefined;
}

export interface PageRules {
  readonly firstBlock: number;
  readonly blockSize: number;
  /** Pages changed since are replaced by replay, and may be torn. */
  readonly changedBefore: bigint;
}

export interface SegmentTask {
  readonly kind: "segment";
  readonly object: WalObject;
  /** Of the store, for messages. */
  readonly location: string;
  readonly stored: Uint8Array;
  /** Whether the digest is asked for: there is another object of the same segment. */
  readonly wantsDigest: boolean;
  /** Whether its stored bytes are compared with their checksum instead of being opened, where it has one. */
  readonly isStored: boolean;
}

export type VerifyResult =
  | ({ readonly kind: "range" } & CheckedRange)
  /** Numbers of the members whose bytes are not what was recorded. */
  | { readonly kind: "stored"; readonly changed: readonly number[] }
  | { readonly kind: "segment"; readonly facts: SegmentFacts };

export interface CheckedRange {
  readonly members: readonly CheckedMember[];
  /** The memory that was sent. */
  readonly stored: Uint8Array;
}

/** What became of a member: its runs' checksums and damaged pages, or why it is not what was recorded. */
export type CheckedMember =
  | { readonly failure: string }
  | { readonly runs: readonly CheckedRun[]; readonly plain: Uint8Array | undefined };

export interface CheckedRun {
  /** CRC-32C of its bytes. */
  readonly checksum: number;
  readonly damagedBlocks: readonly number[];
}

/** What a WAL object holds, when nothing is wrong with it by itself. */
export interface SegmentFacts {
  /** Of the plain bytes, if it was asked for. */
  readonly sha256: string | undefined;
  readonly plainBytes: number;
  readonly systemIdentifier: string;
  /** Whether it was opened; else this is what it says of itself. */
  readonly isOpened: boolean;
}
