import { mkdir, readdir } from "node:fs/promises";
import { dirname } from "node:path";
import { setAttributes } from "./attributes.ts";
import { descend, type OpenDirectory, openStep, requireOwner, stepsTo } from "./held-directory.ts";
import { statIfPresent } from "./if-present.ts";
import { isRoot } from "./owner.ts";
import { type WriteOptions, writing } from "./replace-file.ts";
import { PlaceError, systemErrorCode } from "./unwritable.ts";

export interface DirectoryOptions extends Omit<WriteOptions, "sync"> {
  /** `directory`: each name is durable in the directory above it. */
  readonly sync: "directory" | "none";
  /** What the permissions of one that is there already may be, beside `mode`, which it gets otherwise; without these it keeps its own. */
  readonly otherModes?: readonly number[] | undefined;
}

/**
 * Makes sure that a directory is there, with all that are missing above it, and resolves to whether it was made. Those that are
 * made get exactly this mode, and as root the owner of the directory that they are made in, unless another one is named; those
 * that are there stay as they are, but for an empty one of root's own at `path`, which a run that was interrupted or an
 * administrator may have made: it gets the owner that is named. Rejects with `FILE_UNWRITABLE` or `DISK_FULL`.
 */
export async function makeDirectory(path: string, options: DirectoryOptions): Promise<boolean> {
  return await writing(path, options.hint, async () => {
    const within = options.within ?? { base: await nearestDirectory(path) };
    let isMade = false;
    await using directory = await descend(within, stepsTo(path, within.base), async (parent, step, full) => {
      isMade = await made(parent.at(step), options.mode);
      const entered = await openStep(parent, step, full);
      try {
        if (isMade) await finish(entered, parent, full, options);
      } catch (error) {
        await entered[Symbol.asyncDispose]();
        throw error;
      }
      return entered;
    });
    if (isMade) return true;
    if (await isUnfinished(directory, options)) await setAttributes(directory.handle, options, undefined);
    else await correctMode(path, directory, options);
    return false;
  });
}

async function made(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, mode);
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
  if (!(await isEmpty(directory))) throw new PlaceError(`'${path}' was replaced while it was made`, undefined);
  // Not as it was opened: it may have been made and given away here.
  const { uid, gid } = await parent.handle.stat();
  // The mode first: one that is still root's is known as unfinished.
  await directory.handle.chmod(mode);
  await setAttributes(directory.handle, { mode, owner }, { uid, gid });
  if (sync === "directory") await parent.sync();
}

async function isUnfinished(directory: OpenDirectory, { owner }: DirectoryOptions): Promise<boolean> {
  return isRoot() && owner !== undefined && directory.owner.uid === 0 && owner.uid !== 0 && (await isEmpty(directory));
}

/** Only of one that belongs to whom it should: the mode of anybody else's is not ours to change. */
async function correctMode(
  path: string,
  directory: OpenDirectory,
  { mode, otherModes, owner }: DirectoryOptions,
): Promise<void> {
  if (otherModes === undefined) return;
  requireOwner(path, directory, owner);
  const found = (await directory.handle.stat()).mode & 0o7777;
  if (found !== mode && !otherModes.includes(found)) await directory.handle.chmod(mode);
}

/** But for what mkfs puts into a file system of its own. */
async function isEmpty(directory: OpenDirectory): Promise<boolean> {
  return (await readdir(directory.at("."))).every((name) => name === "lost+found");
}

async function nearestDirectory(path: string): Promise<string> {
  for (let directory = path; ; directory = dirname(directory))
    if ((await statIfPresent(directory))?.isDirectory() === true || dirname(directory) === directory) return directory;
}
