import { mkdir, mkdtemp, open, rm, unlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { countReferences, type Blob, type BlobSpace, type BlobWriter } from "./blob.ts";

const WRITE_SIZE = 1024 * 1024;
const READ_SIZE = 1024 * 1024;

/**
 * Keeps objects as files in a fresh directory below `directory`, so that benchmarks with gigabytes need no memory.
 * `close` removes that directory. The server's records (keys, versions) stay in memory.
 */
export async function createDirectorySpace(directory: string): Promise<BlobSpace> {
  await mkdir(directory, { recursive: true });
  const home = await mkdtemp(join(directory, "objects-"));
  let created = 0;
  return {
    create() {
      created += 1;
      return fileWriter(join(home, String(created)));
    },
    async close() {
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Gathers socket-sized chunks into large writes: one trip to the thread pool per MiB instead of one per 64 KiB. */
function fileWriter(path: string): BlobWriter {
  const opened = open(path, "wx");
  // Rejections surface at the first write or at finish; without this they would count as unhandled until then.
  opened.catch(() => undefined);
  let pending: Uint8Array[] = [];
  let pendingSize = 0;
  let size = 0;
  async function flush(): Promise<void> {
    const file = await opened;
    const chunks = pending;
    const position = size - pendingSize;
    const expected = pendingSize;
    pending = [];
    pendingSize = 0;
    await writeAll(file, chunks, expected, position);
    for (const chunk of chunks) giveBack(chunk);
  }
  return {
    write(chunk) {
      pending.push(chunk);
      pendingSize += chunk.length;
      size += chunk.length;
      return pendingSize >= WRITE_SIZE ? flush() : undefined;
    },
    async finish() {
      if (pendingSize > 0) await flush();
      await (await opened).close();
      return fileBlob(path, size);
    },
    async discard() {
      await (await opened).close();
      await unlink(path);
    },
  };
}

/** At once, when nothing else lives in that memory: otherwise the collector runs without a pause to find these buffers. */
function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && byteLength > Buffer.poolSize)
    buffer.transfer(0);
}

async function writeAll(file: FileHandle, chunks: Uint8Array[], size: number, position: number): Promise<void> {
  if (size === 0) return;
  const { bytesWritten } = await file.writev(chunks, position);
  if (bytesWritten < size)
    throw new Error(`unable to store an object: only ${bytesWritten} of ${size} bytes were written`);
}

function fileBlob(path: string, size: number): Blob {
  return {
    size,
    ...countReferences(() => {
      // The whole directory goes when the server closes: a file that cannot be removed now is removed then.
      unlink(path).catch(() => undefined);
    }),
    async *read(start, end) {
      const file = await open(path, "r");
      try {
        let position = start;
        while (position < end) {
          // A fresh buffer each time: the previous one may still wait in the socket's queue.
          const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, end - position));
          const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
          if (bytesRead === 0) throw new Error(`unable to read '${path}': it ends at byte ${position}`);
          position += bytesRead;
          yield buffer.subarray(0, bytesRead);
        }
      } finally {
        await file.close();
      }
    },
  };
}
