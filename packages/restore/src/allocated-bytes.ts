import { join } from "node:path";
import { lstatIfPresent, treeIfPresent } from "@soar/durable-files";

/** Room that the files below a directory take on its disk; 0 when it is not there. Rejects with `FILE_UNREADABLE`. */
export async function allocatedBytes(directory: string): Promise<number> {
  let bytes = 0;
  for (const entry of (await treeIfPresent(directory)) ?? [])
    if (entry.isFile()) bytes += ((await lstatIfPresent(join(entry.parentPath, entry.name)))?.blocks ?? 0) * 512;
  return bytes;
}
