import type { Codec } from "../codec/codec.ts";

/** A run of plain bytes of one member that belongs at one place of one open file. */
export interface FileWrite {
  /** Descriptor open for writing; descriptors are shared by all threads of a process. */
  readonly fd: number;
  /** For messages. */
  readonly path: string;
  readonly plainOffset: number;
  readonly length: number;
  readonly filePosition: number;
  /** Leaves out whole blocks of zeros: only for a file that was created empty. */
  readonly sparse: boolean;
}

/** Where something is made. */
export interface Place {
  /** For messages. */
  readonly path: string;
  /** By which it is reached: as root in a directory that is held open, whatever its path leads to by now. */
  readonly at: string;
}

/** A file that a worker creates, fills and closes by itself; all of its content is one run of plain bytes. */
export interface FileCreation extends Place {
  readonly plainOffset: number;
  readonly length: number;
  readonly attributes: FileAttributes;
  /** Removes what has this name first; otherwise a file that is there already is an error. */
  readonly replace: boolean;
}

export interface FileAttributes {
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Undefined leaves the owner to the system. */
  readonly owner: FileOwner | undefined;
}

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** What a worker can be asked for. Arrays of bytes cross over with their whole memory. */
export type Task =
  | { readonly kind: "digest"; readonly plain: Uint8Array }
  | {
      readonly kind: "compress";
      readonly codec: Codec;
      readonly level: number | undefined;
      readonly plain: Uint8Array;
    }
  | { readonly kind: "decompress"; readonly member: StoredMember }
  | { readonly kind: "extract"; readonly stored: Uint8Array; readonly members: readonly ExtractedRun[] }
  | { readonly kind: "create"; readonly creations: readonly FileCreation[] }
  | {
      readonly kind: "matches";
      readonly fd: number;
      readonly position: number;
      readonly length: number;
      readonly sha256: Uint8Array;
    };

export interface StoredMember extends MemberDescription {
  readonly stored: Uint8Array;
  /** SHA-256 of the plain bytes that the member must hold; not checked when undefined. */
  readonly sha256: Uint8Array | undefined;
}

/** A member within stored bytes, and where its plain bytes belong. */
export interface ExtractedRun extends MemberDescription {
  readonly storedOffset: number;
  readonly storedLength: number;
  /** First bytes of the SHA-256 that the stored bytes must have. */
  readonly storedDigest: Uint8Array;
  readonly writes: readonly FileWrite[];
  readonly creations: readonly FileCreation[];
}

export interface MemberDescription {
  readonly codec: Codec;
  readonly plainLength: number;
}

/** What each kind of task gives back. `plain` of `digest` and `compress` is the memory that was sent. */
export interface TaskResults {
  readonly digest: { readonly plain: Uint8Array; readonly sha256: Uint8Array };
  readonly compress: {
    readonly plain: Uint8Array;
    readonly sha256: Uint8Array;
    readonly stored: Uint8Array;
    readonly crc32c: number;
    readonly storedDigest: Uint8Array;
  };
  readonly decompress: { readonly plain: Uint8Array };
  readonly extract: { readonly damaged: DamagedMember | undefined };
  readonly create: { readonly files: number };
  readonly matches: { readonly same: boolean };
}

/** The first of the members that is not what was recorded, and why; nothing of it and of those behind it was written. */
export interface DamagedMember {
  readonly index: number;
  readonly message: string;
}

export type TaskResult = TaskResults[keyof TaskResults];
