import { mkdir, readdir } from "node:fs/promises";
import { dirname } from "node:path";
import { SoarError } from "@soar/errors";
import { setAttributes } from "./attributes.ts";
import { descend, type OpenDirectory, openStep, stepsTo } from "./held-directory.ts";
import { statIfPresent } from "./if-present.ts";
import { type WriteOptions, writing } from "./replace-file.ts";
import { systemErrorCode } from "./unwritable.ts";

export interface DirectoryOptions extends Omit<WriteOptions, "sync"> {
  /** `directory`: each name is durable in the directory above it. */
  readonly sync: "directory" | "none";
}

/**
 * Makes sure that a directory is there, with all that are missing above it, and resolves to whether it was made. Those that are
 * made get exactly this mode, and as root the owner of the directory that they are made in, unless another one is named; those
 * that are there stay as they are. Rejects with `FILE_UNWRITABLE` or `DISK_FULL`.
 */
export async function makeDirectory(path: string, options: DirectoryOptions): Promise<boolean> {
  return await writing(path, options.hint, async () => {
    const within = options.within ?? { base: await nearestDirectory(path) };
    let isMade = false;
    await using _directory = await descend(within, stepsTo(path, within.base), async (parent, step, full) => {
      isMade = await made(parent.at(step));
      const directory = await openStep(parent, step, full);
      if (!isMade) return directory;
      try {
        await finish(directory, parent, full, options);
      } catch (error) {
        await directory[Symbol.asyncDispose]();
        throw error;
      }
      return directory;
    });
    return isMade;
  });
}

async function made(path: string): Promise<boolean> {
  try {
    await mkdir(path, 0o700);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function finish(
  directory: OpenDirectory,
  parent: OpenDirectory,
  path: string,
  { mode, owner, sync }: DirectoryOptions,
): Promise<void> {
  // Between making and opening it, the owner of the parent could have put another directory of root's in its place.
  if ((await readdir(directory.at("."))).length > 0)
    throw new SoarError("FILE_UNWRITABLE", `unable to make '${path}': it was replaced meanwhile`);
  // Not as it was opened: it may have been made and given away here.
  const { uid, gid } = await parent.handle.stat();
  await setAttributes(directory.handle, { mode, owner }, { uid, gid });
  if (sync === "directory") await parent.sync();
}

async function nearestDirectory(path: string): Promise<string> {
  for (let directory = path; ; directory = dirname(directory))
    if ((await statIfPresent(directory))?.isDirectory() === true || dirname(directory) === directory) return directory;
}
