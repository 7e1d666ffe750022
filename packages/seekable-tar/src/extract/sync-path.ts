import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { Place } from "../pool/tasks.ts";
import { unwritable } from "../pool/unwritable.ts";
import { toFilePath } from "../tar/entry-name.ts";

/** Makes the content of a file durable. Throws `FILE_UNWRITABLE`. */
export async function syncPath({ path, at }: Place): Promise<void> {
  try {
    await using handle = await open(toFilePath(at), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    await handle.sync();
  } catch (cause) {
    throw unwritable(path, cause);
  }
}
