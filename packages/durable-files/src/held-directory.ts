import { constants, existsSync } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { openTrusted } from "./open-trusted.ts";
import { isRoot, type Owner } from "./owner.ts";
import { PlaceError, systemErrorCode } from "./unwritable.ts";

/** A directory below which no symbolic link is followed, although somebody else may write there. */
export interface Within {
  /** Absolute path. Links in this path itself are the operator's own business; as root see `openTrusted`. */
  readonly base: string;
  /** Whose it must be. Without it, whoever can replace the base by a link chooses where root writes. */
  readonly owner?: Owner | undefined;
}

/** A directory in which names are made, replaced and removed. */
export interface HeldDirectory extends AsyncDisposable {
  /** Whose it is; undefined where nobody needs to know, because this process cannot give files away. */
  readonly owner: Owner | undefined;
  /** Undefined where nothing is to be feared, and the path itself is used. */
  readonly handle: FileHandle | undefined;
  /** A path by which `name` is reached in this very directory, whatever its own path leads to by now. */
  at(name: string): string;
  /** Makes the names in it durable. */
  sync(): Promise<void>;
}

/** One that is held by a descriptor. */
export interface OpenDirectory extends HeldDirectory {
  readonly handle: FileHandle;
  readonly owner: Owner;
}

const REAL_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Opens the directory that something is to be written in. As root, and with `within`, it is held open and everything in it is
 * done through its descriptor, so that nobody can put another directory in its place meanwhile. With `within`, each directory
 * from the base on is opened through the one before and has to be a real one.
 */
export async function holdDirectory(path: string, within?: Within): Promise<HeldDirectory> {
  if (within === undefined) return isRoot() ? await holdBase(path) : named(path);
  return await descend(within, stepsTo(path, within.base));
}

/** Goes down from the base step by step; `enter` gives the next directory, and the one before is closed. */
export async function descend(
  { base, owner }: Within,
  steps: readonly string[],
  enter: (parent: OpenDirectory, step: string, path: string) => Promise<OpenDirectory> = openStep,
): Promise<OpenDirectory> {
  let [held, path] = [await holdBase(base), base];
  try {
    requireOwner(base, held, owner);
    for (const step of steps) {
      const parent = held;
      path = join(path, step);
      held = await enter(parent, step, path).catch(async (cause: unknown) => {
        throw await notReal(cause, { base, path, through: parent.at(step) });
      });
      await parent[Symbol.asyncDispose]();
    }
    return held;
  } catch (error) {
    await held[Symbol.asyncDispose]();
    throw error;
  }
}

/** The names between the base and a path below it. */
export function stepsTo(path: string, base: string): string[] {
  const steps = relative(base, path);
  if (isAbsolute(steps) || steps.split(sep).includes(".."))
    throw new PlaceError(`it does not lie below '${base}'`, undefined);
  return steps.split(sep).filter(Boolean);
}

/** The directory of this name in another one, when it is a real one. */
export async function openStep(parent: OpenDirectory, step: string, path: string): Promise<OpenDirectory> {
  return await openReal(parent.at(step), path);
}

/** A directory that is no link, by whatever path it is reached. */
export async function openReal(through: string | Buffer, path: string): Promise<OpenDirectory> {
  return await hold(await open(through, REAL_DIRECTORY), path);
}

/**
 * The directory behind `through`, a name in one that is held, held in the same way: it has to be a real one. `path` is its own.
 * Rejects with the error of the system call.
 */
export async function enterDirectory(
  parent: HeldDirectory,
  through: string | Buffer,
  path: string,
): Promise<HeldDirectory> {
  const opened = await openReal(through, path);
  if (parent.handle !== undefined) return opened;
  await opened[Symbol.asyncDispose]();
  return named(path);
}

async function holdBase(path: string): Promise<OpenDirectory> {
  return await hold(await openTrusted(path), path);
}

async function hold(handle: FileHandle, path: string): Promise<OpenDirectory> {
  try {
    const { uid, gid } = await handle.stat();
    const own = ownPath(handle, path);
    return {
      handle,
      owner: { uid, gid },
      at: (name) => join(own, name),
      sync: () => handle.sync(),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Linux shows what a descriptor stands for; elsewhere, or without /proc, there is only the path, seen to be real a moment ago. */
function ownPath({ fd }: FileHandle, path: string): string {
  const own = `/proc/self/fd/${fd}`;
  return process.platform === "linux" && existsSync(own) ? own : path;
}

/** Where neither links nor gifts are to be feared, a directory that may be written to need not be one that may be read. */
function named(path: string): HeldDirectory {
  return {
    owner: undefined,
    handle: undefined,
    at: (name) => join(path, name),
    async sync() {
      await using handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
      await handle.sync();
    },
    async [Symbol.asyncDispose]() {},
  };
}

/** Throws unless a directory belongs to whom it should; nobody in particular when undefined. */
export function requireOwner(base: string, held: OpenDirectory, owner: Owner | undefined): void {
  if (owner === undefined || held.owner.uid === owner.uid) return;
  throw new PlaceError(
    `'${base}' belongs to user ${held.owner.uid} and not to user ${owner.uid}`,
    "Somebody has put another directory in its place, or given it away. Look at it before anything is written there.",
  );
}

async function notReal(
  cause: unknown,
  { base, path, through }: { readonly base: string; readonly path: string; readonly through: string },
): Promise<unknown> {
  // With O_DIRECTORY Linux says the one about a link, POSIX the other.
  if (!["ENOTDIR", "ELOOP"].includes(systemErrorCode(cause) ?? "")) return cause;
  if (!(await lstat(through)).isSymbolicLink()) return cause;
  return new PlaceError(
    `'${path}' is a symbolic link`,
    `No links are followed below '${base}'; remove it, or put a directory in its place.`,
  );
}
