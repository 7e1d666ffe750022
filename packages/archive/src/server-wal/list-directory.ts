import { readdir, statfs } from "node:fs/promises";
import { unreadable } from "@soar/durable-files";

const GONE =
  "It belongs to the data directory, which was removed, is not mounted, or may not be read by this user. Start the archiver again when it is there.";

/** The names in a directory of the server. Rejects with `FILE_UNREADABLE`, also when it is not there. */
export async function listDirectory(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    throw unreadable(directory, error, GONE);
  }
}

/** Bytes that the server's user may still write there. Rejects as `listDirectory` does. */
export async function freeBytes(directory: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  } catch (error) {
    throw unreadable(directory, error, GONE);
  }
}
