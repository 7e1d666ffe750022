import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { namesIfPresent } from "./if-present.ts";
import { makeTemporaryDirectory, type TemporaryDirectoryOptions } from "./make-temporary-directory.ts";
import type { Owner } from "./owner.ts";
import { isHeld, tryLock } from "./process-lock.ts";
import { removeTree } from "./remove-tree.ts";
import { meansAbsent } from "./unwritable.ts";

/** Of this process, until it is disposed of. */
export interface OpenTemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Held as long as the process lives, wherever that is seen from. */
const LOCK = "lock";
/** Between a directory and its lock there are milliseconds; one of a version that made no lock was needed for some hours at most. */
const WITHOUT_LOCK_MS = 24 * 3600_000;

/**
 * Makes a directory as `makeTemporaryDirectory` does, which goes with everything in it when it is disposed of. Before that those
 * of the same name are removed that killed processes have left: of this user and of `owner` only, and none whose process may
 * live, in whatever container. Rejects with `FILE_UNWRITABLE` or `DISK_FULL`.
 */
export async function openTemporaryDirectory(
  parent: string,
  prefix: string,
  { owner }: Pick<TemporaryDirectoryOptions, "owner"> = {},
): Promise<OpenTemporaryDirectory> {
  await removeAbandoned(parent, prefix, [process.geteuid?.(), owner?.uid]);
  const path = await makeTemporaryDirectory(parent, prefix, { owner });
  const remove = async (): Promise<void> => void (await removeTree(path, { sync: "none", owner }));
  try {
    const lock = await tryLock(join(path, LOCK), { base: path, owner });
    return {
      path,
      async [Symbol.asyncDispose]() {
        await remove();
        if ("release" in lock) await lock.release();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The name is that of `makeTemporaryDirectory`; anybody may make directories of such names beside. */
async function removeAbandoned(parent: string, prefix: string, users: readonly (number | undefined)[]): Promise<void> {
  const names = (await namesIfPresent(parent)) ?? [];
  for (const name of names.filter((one) => one.startsWith(prefix) && /^[0-9a-f]{6}$/.test(one.slice(prefix.length)))) {
    const path = join(parent, name);
    try {
      const { uid, gid, ctimeMs, ...found } = await describe(path);
      if (!found.isDirectory || !users.includes(uid) || (await isInUse(path, { uid, gid }, ctimeMs))) continue;
      await removeTree(path, { sync: "none", owner: { uid, gid } });
    } catch (error) {
      // Somebody else has removed it meanwhile.
      if (!meansAbsent(error)) throw error;
    }
  }
}

/** Of the name itself: a link is nobody's directory. */
async function describe(path: string): Promise<Owner & { readonly isDirectory: boolean; readonly ctimeMs: number }> {
  const found = await lstat(path);
  return { uid: found.uid, gid: found.gid, ctimeMs: found.ctimeMs, isDirectory: found.isDirectory() };
}

async function isInUse(path: string, owner: Owner, ctimeMs: number): Promise<boolean> {
  // In this order: a lock that is taken in between is held.
  const hasLock = (await readdir(path)).includes(LOCK);
  if (await isHeld(join(path, LOCK), { base: path, owner })) return true;
  return !hasLock && Date.now() - ctimeMs < WITHOUT_LOCK_MS;
}
