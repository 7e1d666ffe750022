import { open } from "node:fs/promises";
import { unwritable } from "../pool/unwritable.ts";
import { toFilePath } from "../tar/entry-name.ts";

/** Makes the content of a file durable. Throws `FILE_UNWRITABLE`. */
export async function syncPath(path: string): Promise<void> {
  try {
    const handle = await open(toFilePath(path), "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw unwritable(path, cause);
  }
}
