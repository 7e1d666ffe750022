import type { ClusterIdentity } from "@soar/repository";
import type { WalFileSource } from "@soar/repository/wal";
import type { Codec } from "@soar/seekable-tar";

/** What a thread is asked: read and check a WAL file, and compress it; or compress one member of a file too large to hold. */
export type PrepareTask =
  | {
      readonly kind: "prepare";
      readonly path: string;
      readonly name: string;
      readonly codec: Codec;
      readonly level: number | undefined;
    }
  | {
      readonly kind: "compress";
      readonly codec: Codec;
      readonly level: number | undefined;
      readonly plain: Uint8Array;
    };

/** What `prepare` found out about a file. */
export interface PreparedFacts {
  readonly size: number;
  readonly sha256: string;
  readonly facts: WalFileSource["facts"];
  /** Only of a file that is read twice: else they are in the stored form. */
  readonly changes: WalFileSource["changes"];
  readonly identity: ClusterIdentity | undefined;
  /** The stored form, whole; undefined for a file that is read twice because it is too large to hold. */
  readonly object: Uint8Array | undefined;
}

export interface PrepareResults {
  readonly prepare: PreparedFacts;
  readonly compress: Uint8Array;
}

export type PrepareResult = PrepareResults[keyof PrepareResults];
