import { readdir, stat, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatSize } from "@soar/app-kit";

/** Data directory, WAL that waits for the archiver, bucket: measured at its highest, per byte of data, with some to spare. */
const ROOM_PER_BYTE = 3.5;
/** An empty cluster, and a copy of the programs where one is needed. */
const ROOM_AT_LEAST = 400 * 2 ** 20;

/** Too little room for the demo. */
export class RoomProblem extends Error {
  override readonly name = "RoomProblem";
}

/** Throws a `RoomProblem` when the temporary directory cannot hold the demo. */
export async function requireRoom(megabytes: number): Promise<void> {
  const needed = ROOM_AT_LEAST + megabytes * 2 ** 20 * ROOM_PER_BYTE;
  const { bavail, bsize } = await statfs(tmpdir());
  const free = bavail * bsize;
  if (free < needed)
    throw new RoomProblem(
      `unable to run in '${tmpdir()}': ${formatSize(needed)} are needed there, ${formatSize(free)} are free`,
    );
}

/** Bytes in the files of a directory. Files that disappear meanwhile do not count. */
export async function directorySize(directory: string): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true }).catch(goneAs([]));
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) => stat(join(entry.parentPath, entry.name)).then(({ size }) => size, goneAs(0)));
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

function goneAs<T>(value: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code === "ENOENT") return value;
    throw error;
  };
}
