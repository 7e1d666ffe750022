import { rename } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { holdDirectory } from "./held-directory.ts";
import type { RemoveOptions } from "./remove-file.ts";
import { writing } from "./replace-file.ts";

/**
 * Gives a file, a directory or a link another name on the same file system, in place of a file that has it already. With
 * `sync: "directory"` a crash afterwards changes neither of the two names any more. Links are moved, not followed. Rejects with
 * `FILE_UNWRITABLE`; see `meansAbsent` and `systemErrorCode` for what is not there, or lies on another file system.
 */
export async function moveEntry(from: string, to: string, { sync, within, hint }: RemoveOptions): Promise<void> {
  await writing(to, hint, async () => {
    await using source = await holdDirectory(dirname(from), within);
    await using target = await holdDirectory(dirname(to), within);
    await rename(source.at(basename(from)), target.at(basename(to)));
    if (sync === "none") return;
    // The new name first: in between, it has two rather than none.
    await target.sync();
    if (dirname(from) !== dirname(to)) await source.sync();
  });
}
