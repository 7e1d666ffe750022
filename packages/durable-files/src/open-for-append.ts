import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setAttributes } from "./attributes.ts";
import { holdDirectory } from "./held-directory.ts";
import { isRoot, type Owner } from "./owner.ts";
import { type WriteOptions, writing } from "./replace-file.ts";
import { PlaceError, systemErrorCode } from "./unwritable.ts";

const CREATE = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Without waiting, so that a pipe of this name is refused below instead of being waited for. */
const CONTINUE = constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens a file for lines at its end, and makes it when it is not there. An existing one keeps owner and mode; it must be an
 * ordinary file with no other name, so that nobody leads what root appends to a file elsewhere. Rejects with `FILE_UNWRITABLE`.
 */
export async function openForAppend(path: string, options: Omit<WriteOptions, "sync">): Promise<FileHandle> {
  return await writing(path, options.hint, async () => {
    await using directory = await holdDirectory(dirname(path), options.within);
    const name = directory.at(basename(path));
    const existing = await open(name, CONTINUE).catch(ignoreAbsent);
    const handle = existing ?? (await open(name, CREATE, 0o600));
    try {
      if (existing === undefined)
        await setAttributes(handle, { mode: options.mode, owner: options.owner }, directory.owner);
      else await requireOrdinary(handle, [options.owner, directory.owner]);
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  });
}

/** As root, it must belong to whom a new one would, or to root. */
async function requireOrdinary(handle: FileHandle, owners: readonly (Owner | undefined)[]): Promise<void> {
  const found = await handle.stat();
  const isTheirs = !isRoot() || found.uid === 0 || owners.some((owner) => owner?.uid === found.uid);
  if (found.isFile() && found.nlink === 1 && isTheirs) return;
  const fact = !found.isFile()
    ? "it is no ordinary file"
    : isTheirs
      ? "it has another name, too"
      : `it belongs to user ${found.uid}`;
  throw new PlaceError(fact, "Remove it; it is made anew.");
}

function ignoreAbsent(error: unknown): undefined {
  if (systemErrorCode(error) === "ENOENT") return undefined;
  throw error;
}
