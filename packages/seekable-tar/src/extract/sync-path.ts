import { closeSync, constants, fsync, openSync } from "node:fs";
import { promisify } from "node:util";
import type { Place } from "../pool/tasks.ts";
import { unwritable } from "../pool/unwritable.ts";
import { toFilePath } from "../tar/entry-name.ts";

const syncDescriptor = promisify(fsync);

/**
 * Makes the content of a file durable. Throws `FILE_UNWRITABLE`. Only the waiting is left to another thread: of a cluster's
 * many small files, opening and closing each of them there costs more than the whole of it.
 */
export async function syncPath({ path, at }: Place): Promise<void> {
  try {
    const fd = openSync(toFilePath(at), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      await syncDescriptor(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw unwritable(path, cause);
  }
}
