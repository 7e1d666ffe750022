import { constants, existsSync, type Stats } from "node:fs";
import { type FileHandle, lstat, open, readlink } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { isRoot } from "./owner.ts";
import { OTHER_KIND_HINT, PlaceError, systemErrorCode } from "./unwritable.ts";

/** As many as the kernel follows in one path (path_resolution(7)). */
const MOST_LINKS = 40;
/**
 * Where something lies, without the right to read it: root may be kept from listing a directory of a network file system that it
 * may go through. Node has no name for it; Linux has this number on every processor that Node runs on (asm-generic/fcntl.h).
 */
export const O_PATH = 0o10000000;
const READABLE = constants.O_RDONLY | constants.O_DIRECTORY;
const TO_A_FILE = O_PATH | constants.O_NOFOLLOW;
const TO_A_DIRECTORY = TO_A_FILE | constants.O_DIRECTORY;
/** Without waiting for whoever might write to a pipe of this name. */
const FILE_READABLE = constants.O_RDONLY | constants.O_NONBLOCK;

/** The end of a link: what was reached has to belong to whoever could make it. */
interface LinkEnd {
  readonly path: string;
  readonly uid: number;
}

/**
 * Opens a directory. As root, links on the way are followed that root made, or that lead to what belongs to whoever could have
 * made them: an administrator may put a data directory elsewhere by a link, and the user of a server cannot have root work in
 * a directory of anybody else. Rejects with the error of the system call, or because of such a link.
 */
export async function openTrusted(path: string): Promise<FileHandle> {
  if (!looksAtLinks()) return await open(path, READABLE);
  return await openByWay(path, TO_A_DIRECTORY, (way) => open(way.at("."), READABLE));
}

/**
 * Opens an ordinary file for reading; as root, links are followed as `openTrusted` follows them: nobody has root read for them what
 * they could not read themselves. Never waits for the other end of a pipe. Rejects as `openTrusted` does.
 */
export async function openTrustedFile(path: string): Promise<FileHandle> {
  const file = looksAtLinks()
    ? await openByWay(path, TO_A_FILE, (way) => open(way.end, FILE_READABLE))
    : await open(path, FILE_READABLE);
  try {
    const found = await file.stat();
    // The system's own word is the better one for a directory.
    if (!found.isFile() && !found.isDirectory()) throw new PlaceError("it is no ordinary file", undefined);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The content of such a file, which is read whole. */
export async function readTrustedFile(path: string): Promise<Buffer> {
  await using file = await openTrustedFile(path);
  return await file.readFile();
}

function looksAtLinks(): boolean {
  return isRoot() && existsSync("/proc/self/fd");
}

async function openByWay(path: string, flags: number, openEnd: (way: Way) => Promise<FileHandle>): Promise<FileHandle> {
  const way = new Way(await open("/", TO_A_DIRECTORY), resolve(path), flags);
  try {
    await way.walk();
    return await openEnd(way);
  } catch (error) {
    // What was no link a moment ago.
    if (systemErrorCode(error) !== "ELOOP") throw error;
    throw new PlaceError("it was exchanged for a symbolic link meanwhile", undefined);
  } finally {
    await way.close();
  }
}

class Way {
  #held: FileHandle;
  /** The next one last. */
  readonly #steps: (string | LinkEnd)[];
  readonly #flags: number;
  #links = 0;

  constructor(root: FileHandle, path: string, flags: number) {
    this.#held = root;
    this.#steps = stepsOf(path);
    this.#flags = flags;
  }

  /** What was reached, by its descriptor. */
  get end(): string {
    return `/proc/self/fd/${this.#held.fd}`;
  }

  at(name: string): string {
    return `${this.end}/${name}`;
  }

  async close(): Promise<void> {
    await this.#held.close();
  }

  async walk(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      if (typeof step !== "string") requireEnd(step, await this.#held.stat());
      else {
        const found = await lstat(this.at(step));
        if (found.isSymbolicLink()) await this.#follow(step, found);
        else await this.#goTo(this.at(step));
      }
    }
  }

  async #follow(name: string, link: Stats): Promise<void> {
    this.#links += 1;
    if (this.#links > MOST_LINKS) throw new PlaceError("there is a loop of symbolic links on the way", OTHER_KIND_HINT);
    const target = await readlink(this.at(name));
    const directory = await this.#held.stat();
    // Whoever owns a directory can put any link there, also one that root has made elsewhere.
    const uid = directory.uid === 0 ? link.uid : directory.uid;
    if (uid !== 0) this.#steps.push({ path: join(await readlink(this.end), name), uid });
    this.#steps.push(...stepsOf(target));
    if (isAbsolute(target)) await this.#goTo("/");
  }

  async #goTo(path: string): Promise<void> {
    const next = await open(path, this.#flags);
    await this.#held.close();
    this.#held = next;
  }
}

function stepsOf(path: string): string[] {
  return path.split("/").filter(Boolean).toReversed();
}

function requireEnd({ path, uid }: LinkEnd, reached: Stats): void {
  if (reached.uid === uid) return;
  throw new PlaceError(
    `'${path}' is a symbolic link of user ${uid} that leads to what belongs to user ${reached.uid}`,
    "Root follows no such link. Remove it, or have root make it in a directory of root's.",
  );
}
