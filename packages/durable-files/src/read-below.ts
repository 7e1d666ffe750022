import { closeSync, constants, existsSync, fstatSync, lstatSync, openSync, type Stats } from "node:fs";
import { O_PATH, openTrusted } from "./open-trusted.ts";
import { isRoot, type Owner } from "./owner.ts";
import { PlaceError, systemErrorCode } from "./unwritable.ts";

/** A user for whom root reads: what they could not read themselves is not read. */
export interface Reader {
  readonly uid: number;
  readonly groups: readonly number[];
}

/** A directory, and everything in real directories below it. Holds nothing but numbers and text: threads are sent it. */
export interface ReadableTree {
  readonly path: string;
  /** Of the directory, held open; undefined where the system does not show what a descriptor stands for. All threads share it. */
  readonly descriptor: number | undefined;
  /** Undefined where this process has no other rights than the one that owns the files. */
  readonly reader: Reader | undefined;
}

export interface HeldTree extends ReadableTree, AsyncDisposable {
  readonly owner: Owner;
}

export interface TreeHolder {
  /** As root, whose it must be: a link may have led here. */
  readonly owner?: Owner | undefined;
  /** Of the owner, beside that of the directory. */
  readonly groups?: readonly number[] | undefined;
}

/** A directory below another one. */
export interface OpenedDirectory extends Disposable {
  /** By which its names are reached, whatever its own path leads to by now; with a slash at its end. */
  readonly prefix: Buffer;
}

const FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const SLASH = 0x2f;

/**
 * Holds a directory open in which, and below which, files are read that its owner may exchange at any moment, directories for links
 * included. Links in the path itself: see `openTrusted`. Rejects with the error of the system call, or because of such a link.
 */
export async function holdTree(path: string, { owner, groups = [] }: TreeHolder = {}): Promise<HeldTree> {
  const handle = await openTrusted(path);
  try {
    const { uid, gid } = await handle.stat();
    if (isRoot() && owner !== undefined && owner.uid !== uid)
      throw new PlaceError(`it belongs to user ${uid} and not to user ${owner.uid}`, undefined);
    return {
      path,
      descriptor: existsSync(`/proc/self/fd/${handle.fd}`) ? handle.fd : undefined,
      reader: isRoot() && uid !== 0 ? { uid, groups: [gid, ...groups] } : undefined,
      owner: { uid, gid },
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/**
 * Opens a file by its path below the tree, as bytes, through real directories only and without waiting for the other end of a pipe;
 * undefined when it is no ordinary file. Synchronous, for readers on threads of their own. Throws the error of the system call, or
 * says that something on the way is a link, or that the tree's owner may not read the file: it may be another name of root's.
 */
export function openFileBelow(tree: ReadableTree, below: Uint8Array): number | undefined {
  const at = below.lastIndexOf(SLASH);
  using directory = openDirectoryBelow(tree, below.subarray(0, Math.max(0, at)));
  const descriptor = openSync(Buffer.concat([directory.prefix, below.subarray(at + 1)]), FILE);
  try {
    const found = fstatSync(descriptor);
    if (found.isFile()) {
      requireReadable(found, tree.reader);
      return descriptor;
    }
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  closeSync(descriptor);
  return undefined;
}

/** The same for a directory, which may be the tree's own: an empty path. */
export function openDirectoryBelow(tree: ReadableTree, below: Uint8Array): OpenedDirectory {
  const path = Buffer.from(below);
  // Without descriptors only the last name is seen to be what it is.
  if (tree.descriptor === undefined)
    return { prefix: Buffer.concat([Buffer.from(`${tree.path}/`), path, Buffer.from("/")]), [Symbol.dispose]() {} };
  let held = tree.descriptor;
  try {
    for (const step of stepsOf(path)) {
      const next = enter(held, step);
      if (held !== tree.descriptor) closeSync(held);
      held = next;
    }
  } catch (error) {
    if (held !== tree.descriptor) closeSync(held);
    throw error;
  }
  const own = held;
  return {
    prefix: prefixOf(own),
    [Symbol.dispose]: () => (own === tree.descriptor ? undefined : closeSync(own)),
  };
}

function enter(held: number, step: Buffer): number {
  const place = Buffer.concat([prefixOf(held), step]);
  try {
    return openSync(place, DIRECTORY);
  } catch (error) {
    if (systemErrorCode(error) !== "ENOTDIR" || !lstatSync(place).isSymbolicLink()) throw error;
    throw new PlaceError("a directory on the way was exchanged for a symbolic link", undefined);
  }
}

function prefixOf(descriptor: number): Buffer {
  return Buffer.from(`/proc/self/fd/${descriptor}/`);
}

function* stepsOf(path: Buffer): Generator<Buffer, void, undefined> {
  for (let from = 0; from < path.length;) {
    const slash = path.indexOf(SLASH, from);
    const end = slash === -1 ? path.length : slash;
    if (end > from) yield path.subarray(from, end);
    from = end + 1;
  }
}

function requireReadable({ uid, gid, mode }: Stats, reader: Reader | undefined): void {
  if (reader === undefined || uid === reader.uid) return;
  if ((mode & (reader.groups.includes(gid) ? 0o040 : 0o004)) !== 0) return;
  throw new PlaceError(
    `it belongs to user ${uid}, and user ${reader.uid} may not read it`,
    `Nothing is read as root that user ${reader.uid} could not read. Give the file to that user, or take it away.`,
  );
}
