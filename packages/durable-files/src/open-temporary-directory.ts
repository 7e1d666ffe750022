import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "@soar/errors";
import { namesIfPresent } from "./if-present.ts";
import { makeTemporaryDirectory, type TemporaryDirectoryOptions } from "./make-temporary-directory.ts";
import type { Owner } from "./owner.ts";
import { lockState, type ProcessLock, tryLock } from "./process-lock.ts";
import { removeTree } from "./remove-tree.ts";
import { meansAbsent, systemErrorCode } from "./unwritable.ts";

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
 * live, in whatever container; what cannot be judged or removed stays, and Node's process tells of it by a warning. Rejects
 * with `FILE_UNWRITABLE` or `DISK_FULL`.
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
    const lock = await lockIfPossible(path, owner);
    return {
      path,
      async [Symbol.asyncDispose]() {
        await remove();
        await lock?.release();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Numbers of a file system, or of a sandbox, that has no sockets in it. */
const NO_SOCKETS: ReadonlySet<string | undefined> = new Set([
  "EAFNOSUPPORT",
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
  "EPERM",
]);

/** Undefined where there are no sockets: others leave a directory without a lock alone as long as it may be needed. */
async function lockIfPossible(path: string, owner: Owner | undefined): Promise<ProcessLock | undefined> {
  try {
    const lock = await tryLock(join(path, LOCK), { base: path, owner });
    return "release" in lock ? lock : undefined;
  } catch (error) {
    if (NO_SOCKETS.has(systemErrorCode(error))) return undefined;
    throw error;
  }
}

/** The name is that of `makeTemporaryDirectory`; anybody may make directories of such names beside. */
async function removeAbandoned(parent: string, prefix: string, users: readonly (number | undefined)[]): Promise<void> {
  const names = await bestEffort(parent, () => namesIfPresent(parent));
  for (const name of (names ?? []).filter((one) => isNameOf(prefix, one)))
    await bestEffort(join(parent, name), async (path) => {
      const { uid, gid, ctimeMs, ...found } = await describe(path);
      if (!found.isDirectory || !users.includes(uid) || (await isInUse(path, { uid, gid }, ctimeMs))) return;
      await removeTree(path, { sync: "none", owner: { uid, gid } });
    });
}

function isNameOf(prefix: string, name: string): boolean {
  return name.startsWith(prefix) && /^[0-9a-f]{6}$/.test(name.slice(prefix.length));
}

/** Nobody's work fails for what another process has left. */
async function bestEffort<T>(path: string, work: (path: string) => Promise<T>): Promise<T | undefined> {
  try {
    return await work(path);
  } catch (error) {
    // Somebody else has removed it meanwhile.
    if (!meansAbsent(error))
      process.emitWarning(`what killed processes left in '${path}' stays there: ${messageOf(error)}`, "SoarWarning");
    return undefined;
  }
}

/** Of the name itself: a link is nobody's directory. */
async function describe(path: string): Promise<Owner & { readonly isDirectory: boolean; readonly ctimeMs: number }> {
  const found = await lstat(path);
  return { uid: found.uid, gid: found.gid, ctimeMs: found.ctimeMs, isDirectory: found.isDirectory() };
}

async function isInUse(path: string, owner: Owner, ctimeMs: number): Promise<boolean> {
  const state = await lockState(path, LOCK, owner);
  return state === "held" || (state === "none" && Date.now() - ctimeMs < WITHOUT_LOCK_MS);
}
