import { readdir, unlink } from "node:fs/promises";
import { holdDirectory, type Within } from "./held-directory.ts";
import { lstatIfPresent } from "./if-present.ts";
import { writing } from "./replace-file.ts";
import { TEMPORARY_SUFFIX } from "./temporary-file.ts";
import { meansAbsent } from "./unwritable.ts";

export interface LeftoverOptions {
  /**
   * Of files that nobody has written to for so long; 0 only where nobody else writes there at this moment. Process ids in the
   * names tell nothing: a process of another container has one that is not known here.
   */
  readonly idleMs: number;
  readonly within?: Within | undefined;
}

/** Removes unfinished files that killed processes left in a directory, which may be absent. Rejects with `FILE_UNWRITABLE`. */
export async function removeLeftovers(directory: string, { idleMs, within }: LeftoverOptions): Promise<void> {
  try {
    await writing(directory, undefined, async () => {
      await using held = await holdDirectory(directory, within);
      for (const name of await readdir(held.at("."))) {
        if (!name.endsWith(TEMPORARY_SUFFIX)) continue;
        const found = await lstatIfPresent(held.at(name));
        if (found === undefined || found.isDirectory() || Date.now() - found.mtimeMs < idleMs) continue;
        await unlink(held.at(name)).catch(ignoreAbsent);
      }
    });
  } catch (error) {
    ignoreAbsent(error);
  }
}

function ignoreAbsent(error: unknown): void {
  if (!meansAbsent(error)) throw error;
}
