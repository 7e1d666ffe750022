/** Stored bytes that never change. Counted, because a copy, a version and a reader may share them. */
export interface Blob {
  readonly size: number;
  /** Bytes from `start` to before `end`. The caller retains the blob while it reads. */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
  retain(): void;
  /** The last release gives the bytes back. */
  release(): void;
}

/** Receives bytes in order. One of `finish` and `discard` is called in the end. */
export interface BlobWriter {
  write(chunk: Uint8Array): Promise<void> | void;
  finish(): Promise<Blob> | Blob;
  discard(): Promise<void> | void;
}

/** Where object bytes live. */
export interface BlobSpace {
  create(): BlobWriter;
  close(): Promise<void>;
}

/** Bytes from `start` to before `end` of several blobs, one behind the other. */
export async function* readBlobs(blobs: readonly Blob[], start: number, end: number): AsyncIterable<Uint8Array> {
  let position = 0;
  for (const blob of blobs) {
    const from = Math.max(start - position, 0);
    const to = Math.min(end - position, blob.size);
    if (from < to) yield* blob.read(from, to);
    position += blob.size;
  }
}

/** Counts references and calls `free` after the last. Starts with one reference: its creator's. */
export function countReferences(free: () => void): Pick<Blob, "retain" | "release"> {
  let references = 1;
  return {
    retain() {
      references += 1;
    },
    release() {
      references -= 1;
      if (references === 0) free();
    },
  };
}
