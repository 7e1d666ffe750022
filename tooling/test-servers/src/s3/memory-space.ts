import { countReferences, type Blob, type BlobSpace } from "./blob.ts";

/** Chunks up to this many bytes in all become one Buffer, so that small objects do not keep whole socket buffers alive. */
const COMPACT_BELOW = 1024 * 1024;

/** Keeps objects in memory. */
export function createMemorySpace(): BlobSpace {
  return {
    create() {
      let chunks: Uint8Array[] = [];
      let size = 0;
      return {
        write(chunk) {
          chunks.push(chunk);
          size += chunk.length;
        },
        finish() {
          return memoryBlob(size < COMPACT_BELOW ? [Buffer.concat(chunks)] : chunks, size);
        },
        discard() {
          chunks = [];
        },
      };
    },
    async close() {},
  };
}

function memoryBlob(chunks: Uint8Array[], size: number): Blob {
  return {
    size,
    ...countReferences(() => chunks.splice(0)),
    async *read(start, end) {
      let position = 0;
      for (const chunk of chunks) {
        const from = Math.max(start - position, 0);
        const to = Math.min(end - position, chunk.length);
        if (from < to) yield chunk.subarray(from, to);
        position += chunk.length;
        if (position >= end) return;
      }
    },
  };
}
