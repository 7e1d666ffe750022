import { countReferences, type Blob, type BlobSpace } from "./blob.ts";

const BLOCK_SIZE = 1024 * 1024;

/** Keeps objects in memory, in blocks of their own: socket buffers would be kept alive by the slices that are used. */
export function createMemorySpace(): BlobSpace {
  return {
    create() {
      const full: Buffer[] = [];
      let block: Buffer | undefined;
      let used = 0;
      let size = 0;
      return {
        write(chunk) {
          for (let start = 0; start < chunk.length;) {
            block ??= Buffer.allocUnsafeSlow(BLOCK_SIZE);
            const piece = chunk.subarray(start, start + BLOCK_SIZE - used);
            block.set(piece, used);
            used += piece.length;
            start += piece.length;
            if (used < BLOCK_SIZE) continue;
            full.push(block);
            block = undefined;
            used = 0;
          }
          size += chunk.length;
        },
        finish() {
          // The last block shrinks to what it holds.
          return memoryBlob(block === undefined ? full : [...full, Buffer.from(block.subarray(0, used))], size);
        },
        discard() {
          full.length = 0;
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
