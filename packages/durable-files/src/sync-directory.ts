import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { unwritable } from "./unwritable.ts";

/** Makes the names in a directory durable: those that were made, replaced and removed there. Rejects with `FILE_UNWRITABLE`. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    await using directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    await directory.sync();
  } catch (cause) {
    throw unwritable(path, cause);
  }
}
