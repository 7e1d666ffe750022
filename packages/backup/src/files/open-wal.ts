import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { meansAbsent, unreadable } from "@soar/durable-files";

const READ_BYTES = 1024 * 1024;

/** The file of a segment in a server's pg_wal; undefined when it is not there. Rejects with `FILE_UNREADABLE`. Waits before each piece. */
export async function openWal(
  dataDirectory: string,
  name: string,
  wait: (bytes: number) => Promise<void>,
): Promise<AsyncIterable<Buffer> | undefined> {
  const path = join(dataDirectory, "pg_wal", name);
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (meansAbsent(error)) return undefined;
    throw unreadable(path, error);
  }
  try {
    // Nothing of what a pipe or a device says is WAL.
    if ((await file.stat()).isFile()) return pieces(file, wait);
  } catch (error) {
    await file.close();
    throw unreadable(path, error);
  }
  await file.close();
  return undefined;
}

/** Each piece lies where the one before did. */
async function* pieces(
  file: FileHandle,
  wait: (bytes: number) => Promise<void>,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    const memory = Buffer.allocUnsafeSlow(READ_BYTES);
    for (;;) {
      await wait(READ_BYTES);
      const { bytesRead } = await file.read(memory, 0, READ_BYTES);
      if (bytesRead === 0) return;
      yield memory.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
