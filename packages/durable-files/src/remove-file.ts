import { unlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { holdDirectory, type Within } from "./held-directory.ts";
import { type Sync, writing } from "./replace-file.ts";
import { meansAbsent } from "./unwritable.ts";

export interface RemoveOptions {
  /** `directory`: it does not come back after a crash. */
  readonly sync: Exclude<Sync, "file">;
  readonly within?: Within | undefined;
  readonly hint?: string | undefined;
}

/** Removes a file, or a link itself, if it is there; resolves to whether it was. Rejects with `FILE_UNWRITABLE`, for a directory too. */
export async function removeFile(path: string, options: RemoveOptions): Promise<boolean> {
  try {
    return await writing(path, options.hint, async () => {
      await using directory = await holdDirectory(dirname(path), options.within);
      const wasThere = await unlinked(directory.at(basename(path)));
      // Also when it was gone already: whoever removed it may not have waited.
      if (options.sync === "directory") await directory.sync();
      return wasThere;
    });
  } catch (error) {
    if (meansAbsent(error)) return false;
    throw error;
  }
}

async function unlinked(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (meansAbsent(error)) return false;
    throw error;
  }
}
