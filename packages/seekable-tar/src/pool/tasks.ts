import type { ErrorCode } from "@soar/errors";
import type { Codec } from "../codec/codec.ts";

/** A run of plain bytes of one member that belongs at one place of one open file. */
export interface FileWrite {
  /** Descriptor open for writing; descriptors are shared by all threads of a process. */
  readonly fd: number;
  readonly plainOffset: number;
  readonly length: number;
  readonly filePosition: number;
}

/** What a worker can be asked for. Arrays of bytes cross over with their whole memory. */
export type Task =
  | { readonly kind: "digest"; readonly plain: Uint8Array }
  | { readonly kind: "compress"; readonly codec: Codec; readonly level: number | undefined; readonly plain: Uint8Array; readonly hashStored: boolean }
  | { readonly kind: "decompress"; readonly member: StoredMember }
  | { readonly kind: "extract"; readonly member: StoredMember; readonly writes: readonly FileWrite[]; readonly sparse: boolean }
  | { readonly kind: "matches"; readonly fd: number; readonly position: number; readonly length: number; readonly sha256: Uint8Array };

export interface StoredMember {
  readonly codec: Codec;
  readonly stored: Uint8Array;
  readonly plainLength: number;
  /** SHA-256 of the plain bytes that the member must hold; not checked when undefined. */
  readonly sha256: Uint8Array | undefined;
}

/** What each kind of task gives back. `plain` of `digest` and `compress` is the memory that was sent. */
export interface TaskResults {
  readonly digest: { readonly plain: Uint8Array; readonly sha256: Uint8Array };
  readonly compress: { readonly plain: Uint8Array; readonly sha256: Uint8Array; readonly stored: Uint8Array; readonly storedSha256: Uint8Array | undefined };
  readonly decompress: { readonly plain: Uint8Array };
  readonly extract: { readonly writtenBytes: number };
  readonly matches: { readonly same: boolean };
}

export type TaskResult = TaskResults[keyof TaskResults];

export interface TaskRequest {
  readonly id: number;
  readonly task: Task;
}

export type TaskReply = { readonly id: number; readonly result: TaskResult } | { readonly id: number; readonly failure: TaskFailure };

/** An error as it crosses between threads: the class is lost there, the code is not. */
export interface TaskFailure {
  readonly message: string;
  readonly stack: string | undefined;
  /** Set for a `SoarError`. */
  readonly code: ErrorCode | undefined;
  /** Set for an error of the operating system, for example `ENOSPC`. */
  readonly systemCode: string | undefined;
}
