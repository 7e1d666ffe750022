import { rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { linkUnlessThere } from "./link-unless-there.ts";
import { holdDirectory } from "./held-directory.ts";
import { writing, type WriteOptions } from "./replace-file.ts";
import { type FileContent, withTemporary } from "./temporary-file.ts";

/**
 * Creates a file that appears with its content, or not at all when its name is taken, by whatever it may be: of several
 * processes exactly one hears `true`. Rejects with `DISK_FULL` or `FILE_UNWRITABLE`, or with what `content` rejects with.
 */
export async function writeNew(path: string, content: FileContent, options: WriteOptions): Promise<boolean> {
  return await writing(path, options.hint, async () => {
    await using directory = await holdDirectory(dirname(path), options.within);
    const attributes = { mode: options.mode, owner: options.owner };
    const file = { content, attributes, isSynced: options.sync !== "none" };
    const isNew = await withTemporary(directory, basename(path), file, async (temporary) => {
      const made = await linkUnlessThere(temporary, directory.at(basename(path)));
      await rm(temporary);
      return made;
    });
    if (isNew && options.sync === "directory") await directory.sync();
    return isNew;
  });
}
