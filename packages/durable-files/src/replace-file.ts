import { lstat, rename } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { holdDirectory, type Within } from "./held-directory.ts";
import { meansAbsent, PlaceError, unwritable } from "./unwritable.ts";
import type { Owner } from "./owner.ts";
import { type FileContent, sourceError, withTemporary } from "./temporary-file.ts";

/**
 * What is durable when a call resolves. `directory`: content and name, so that a crash of the machine changes nothing any more.
 * `file`: the content; after a crash the name may still lead to what was there before. `none`: nothing; other
 * processes never see half of it, but after a crash of the machine it may be the old file, the new one, or an empty one.
 * Each caller says why its choice is enough.
 */
export type Sync = "directory" | "file" | "none";

export interface WriteOptions {
  /** Permission bits, exactly these whatever the umask. */
  readonly mode: number;
  readonly sync: Sync;
  /** Whose the file is to be; unless said, and as root, that of the directory it lies in. */
  readonly owner?: Owner | undefined;
  readonly within?: Within | undefined;
  /** For the error when the place cannot be written. */
  readonly hint?: string | undefined;
}

export interface ReplaceOptions extends WriteOptions {
  /** Keeps the permissions of an ordinary file that is replaced; `mode` is for a new one. */
  readonly keepMode?: boolean | undefined;
  /** A symbolic link of this name is replaced itself, unless it is to be refused; it is never followed. */
  readonly ifLink?: "replace" | "refuse" | undefined;
}

/**
 * Puts a file in its place as a whole: others see the old one or the new one, and never one that is not finished. It is written
 * under a temporary name beside it and renamed. Rejects with `DISK_FULL` or `FILE_UNWRITABLE`, after which the old one
 * is still there; or with what `content` rejects with.
 */
export async function replaceFile(path: string, content: FileContent, options: ReplaceOptions): Promise<void> {
  await writing(path, options.hint, async () => {
    await using directory = await holdDirectory(dirname(path), options.within);
    const target = directory.at(basename(path));
    const attributes = { mode: await modeFor(target, options), owner: options.owner };
    const file = { content, attributes, isSynced: options.sync !== "none" };
    await withTemporary(directory, basename(path), file, (temporary) => rename(temporary, target));
    if (options.sync === "directory") await directory.sync();
  });
}

/** Turns what fails into an error of the path, but for failures of the source. */
export async function writing<T>(path: string, hint: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const source = sourceError(error);
    throw source === undefined ? unwritable(path, error, { hint }) : source.cause;
  }
}

async function modeFor(
  target: string,
  { mode, keepMode, ifLink }: Pick<ReplaceOptions, "mode" | "keepMode" | "ifLink">,
): Promise<number> {
  if (keepMode !== true && ifLink !== "refuse") return mode;
  const found = await lstat(target).catch((error: unknown) => {
    if (meansAbsent(error)) return undefined;
    throw error;
  });
  if (ifLink === "refuse" && found?.isSymbolicLink() === true)
    throw new PlaceError("it is a symbolic link", "Name the file that it leads to, or remove the link.");
  return keepMode === true && found?.isFile() === true ? found.mode & 0o777 : mode;
}
