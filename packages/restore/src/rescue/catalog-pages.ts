import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { openIfPresent, unreadable } from "@soar/durable-files";

/** Whole pages of any size. */
const PIECE_BYTES = 1024 * 1024;
/** `RelMapFile` has about half of them. */
const MAP_BYTES = 1024;

export interface PagesPlace {
  /** Directories of the database: a file is read in the first that has it. */
  readonly directories: readonly string[];
  readonly blockSize: number;
  /** Gets the file numbers that have no file. */
  readonly missing: Set<number>;
}

/** The pages of the main forks of these files, some at a time. */
export async function* readPages(
  fileNumbers: Iterable<number>,
  { directories, blockSize, missing }: PagesPlace,
): AsyncGenerator<Buffer, void, undefined> {
  for (const fileNumber of fileNumbers)
    for (let segment = 0; ; segment += 1) {
      const name = segment === 0 ? String(fileNumber) : `${fileNumber}.${segment}`;
      await using file = await openIn(directories, name);
      if (file === undefined && segment === 0) missing.add(fileNumber);
      if (file === undefined) break;
      // Fresh memory each time would wait for the collector.
      const memory = Buffer.allocUnsafeSlow(PIECE_BYTES);
      for (let length = PIECE_BYTES; length === PIECE_BYTES;) {
        length = await readFully(file, memory, name);
        yield memory.subarray(0, length - (length % blockSize));
      }
    }
}

/** pg_filenode.map; empty when there is none. */
export async function readFileNodeMap(directories: readonly string[]): Promise<Buffer> {
  const name = "pg_filenode.map";
  await using file = await openIn(directories, name);
  const memory = Buffer.alloc(MAP_BYTES);
  return memory.subarray(0, file === undefined ? 0 : await readFully(file, memory, name));
}

async function openIn(directories: readonly string[], name: string): Promise<FileHandle | undefined> {
  for (const directory of directories) {
    const file = await openIfPresent(join(directory, name));
    if (file !== undefined) return file;
  }
  return undefined;
}

/** On from where the file was read to; resolves to fewer bytes at its end only. */
async function readFully(file: FileHandle, memory: Buffer, name: string): Promise<number> {
  try {
    for (let filled = 0; ;) {
      const { bytesRead } = await file.read(memory, filled, memory.length - filled);
      filled += bytesRead;
      if (bytesRead === 0 || filled === memory.length) return filled;
    }
  } catch (error) {
    throw unreadable(name, error);
  }
}
