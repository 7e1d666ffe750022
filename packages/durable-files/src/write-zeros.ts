import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { setAttributes } from "./attributes.ts";
import { holdDirectory } from "./held-directory.ts";
import { type WriteOptions, writing } from "./replace-file.ts";

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Creates a file of zeros that takes no space, where the file system can have such files. Rejects with `FILE_UNWRITABLE`, also
 * when its name is taken, or `DISK_FULL`.
 */
export async function writeZeros(path: string, bytes: number, options: Omit<WriteOptions, "sync">): Promise<void> {
  await writing(path, options.hint, async () => {
    await using directory = await holdDirectory(dirname(path), options.within);
    await using file = await open(directory.at(basename(path)), CREATE, 0o600);
    await file.truncate(bytes);
    await setAttributes(file, options, directory.owner);
  });
}
