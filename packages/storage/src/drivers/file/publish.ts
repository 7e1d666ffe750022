import { constants } from "node:fs";
import { link, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Owner } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import type { PutOptions } from "../../object-store.ts";
import type { ConditionalPut } from "../../server-habits.ts";
import { hasSystemErrorCode } from "./errors.ts";
import { DIRECTORY_MODE, findFile, keyOfPath, requireRoot } from "./layout.ts";
import { give, ownerOfRoot, reach } from "./reach.ts";

/** What a directory store knows about its file system; `conditionalPut` is learned from link(2). */
export interface FileVolume {
  readonly root: string;
  conditionalPut: ConditionalPut;
  /** link(2), replaceable because few test machines have a file system without it. */
  readonly link: typeof link;
}

/** A directory that `remove` clears away between our mkdir and our link is made again, this often. */
const PUBLISH_ATTEMPTS = 20;

/** What link(2) answers where the file system has no hard links (exFAT, some FUSE and SMB mounts). */
const NO_HARD_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"] as const;

/**
 * Gives a finished, synced file its name: with `ifAbsent` through link(2), which refuses a taken name atomically, else
 * through rename(2). The name is durable when this returns; the temporary name is gone.
 */
export async function publishFile(
  volume: FileVolume,
  temporary: string,
  path: string,
  ifAbsent: PutOptions["ifAbsent"],
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await publishOnce(volume, temporary, path, ifAbsent);
    } catch (error) {
      if (!hasSystemErrorCode(error, "ENOENT") || attempt === PUBLISH_ATTEMPTS) throw error;
    }
    await makeDirectories(volume.root, dirname(path));
  }
}

/** Of its own, because the bundler's `await using` remembers in a loop what an earlier round has thrown. */
async function publishOnce(
  volume: FileVolume,
  temporary: string,
  path: string,
  ifAbsent: PutOptions["ifAbsent"],
): Promise<void> {
  await using target = await reach(path);
  if (ifAbsent) await linkAbsent(volume, temporary, { path, at: target.at }, ifAbsent);
  else await rename(temporary, target.at);
  await syncNames(target);
}

/** The place of an object. */
interface Target {
  readonly path: string;
  readonly at: string;
}

async function linkAbsent(
  volume: FileVolume,
  temporary: string,
  target: Target,
  ifAbsent: PutOptions["ifAbsent"],
): Promise<void> {
  const { path, at } = target;
  if (volume.conditionalPut === "refused") return await renameAbsent(temporary, target, ifAbsent);
  try {
    await volume.link(temporary, at);
  } catch (error) {
    if (hasSystemErrorCode(error, "EEXIST")) throw await nameTaken(path, error);
    if (!hasSystemErrorCode(error, ...NO_HARD_LINKS)) throw error;
    volume.conditionalPut = "refused";
    return await renameAbsent(temporary, target, ifAbsent);
  }
  await unlink(temporary);
}

/** Without hard links there is no atomic refusal: this can only look first. */
async function renameAbsent(temporary: string, { path, at }: Target, ifAbsent: PutOptions["ifAbsent"]): Promise<void> {
  if (ifAbsent === "by-server") {
    throw new SoarError(
      "STORE_UNSUPPORTED",
      `unable to store '${path}' only if absent: the file system has no hard links`,
    );
  }
  if ((await findFile(path)) !== undefined) throw await nameTaken(path, undefined);
  await rename(temporary, at);
}

async function nameTaken(path: string, cause: unknown): Promise<SoarError> {
  if ((await stat(path)).isDirectory()) {
    return new SoarError(
      "STORE_UNSUPPORTED",
      `unable to store '${path}': a directory has this name, because other keys begin with it`,
      { cause },
    );
  }
  return new SoarError("OBJECT_EXISTS", `unable to store '${path}': there is an object of this name already`, {
    cause,
  });
}

/** Makes the directories between the root and `directory`, each one durable. Never makes the root itself. */
export async function makeDirectories(root: string, directory: string): Promise<void> {
  await requireRoot(root);
  const owner = await ownerOfRoot(root);
  let path = root;
  for (const segment of keyOfPath(root, directory).split("/").filter(Boolean)) {
    const parent = path;
    path = join(parent, segment);
    try {
      await makeNext(path, owner);
    } catch (error) {
      if (hasSystemErrorCode(error, "ENOENT")) return; // a removal was faster; the caller comes back
      if (!hasSystemErrorCode(error, "EEXIST")) throw error;
      if (!(await stat(path)).isDirectory()) {
        throw new SoarError("STORE_UNSUPPORTED", `unable to make the directory '${path}': an object has this name`, {
          cause: error,
        });
      }
    }
  }
}

async function makeNext(path: string, owner: Owner | undefined): Promise<void> {
  await using place = await reach(path);
  await makeDirectory(place.at, owner);
  await syncNames(place);
}

/** Makes a directory that is not there, for its owner. */
export async function makeDirectory(at: string, owner: Owner | undefined): Promise<void> {
  await mkdir(at, { mode: DIRECTORY_MODE });
  if (owner === undefined) return;
  await using made = await open(at, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  // Whoever owns the one above could have put another directory of root's in its place.
  if ((await readdir(`/proc/self/fd/${made.fd}`)).length === 0) await give(made, owner);
}

/** Makes new and removed names of a directory survive a power failure. One that was removed meanwhile has none to keep. */
export async function syncNames(place: { sync(): Promise<void> }): Promise<void> {
  try {
    await place.sync();
  } catch (error) {
    if (!hasSystemErrorCode(error, "ENOENT")) throw error;
  }
}
