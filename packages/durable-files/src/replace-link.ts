import { rename, symlink } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { holdDirectory } from "./held-directory.ts";
import { type WriteOptions, writing } from "./replace-file.ts";
import { discard, makeBeside } from "./temporary-file.ts";

/**
 * Makes a symbolic link, in place of a link or file that has its name: others see the old one or the new one. Whose a link is,
 * nobody asks. Rejects with `FILE_UNWRITABLE` or `DISK_FULL`.
 */
export async function replaceLink(
  path: string,
  target: string,
  { sync, within, hint }: Pick<WriteOptions, "within" | "hint"> & { readonly sync: "directory" | "none" },
): Promise<void> {
  await writing(path, hint, async () => {
    await using directory = await holdDirectory(dirname(path), within);
    const beside = await makeBeside(directory, basename(path), (temporary) => symlink(target, temporary));
    try {
      await rename(beside.path, directory.at(basename(path)));
    } catch (cause) {
      throw await discard(beside.path, cause);
    }
    if (sync === "directory") await directory.sync();
  });
}
