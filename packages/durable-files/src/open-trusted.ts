import { constants, existsSync, type Stats } from "node:fs";
import { type FileHandle, lstat, open, readlink } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { isRoot } from "./owner.ts";
import { PlaceError } from "./unwritable.ts";

/** As many as the kernel follows in one path (path_resolution(7)). */
const MOST_LINKS = 40;
/**
 * Where something lies, without the right to read it: root may be kept from listing a directory of a network file system that it
 * may go through. Node has no name for it; Linux has this number on every processor that Node runs on (asm-generic/fcntl.h).
 */
const O_PATH = 0o10000000;
const READABLE = constants.O_RDONLY | constants.O_DIRECTORY;
const ON_THE_WAY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

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
  if (!isRoot() || !existsSync("/proc/self/fd")) return await open(path, READABLE);
  const way = new Way(await open("/", ON_THE_WAY), resolve(path));
  try {
    await way.walk();
    return await open(way.at("."), READABLE);
  } finally {
    await way.close();
  }
}

class Way {
  #held: FileHandle;
  /** The next one last. */
  readonly #steps: (string | LinkEnd)[];
  #links = 0;

  constructor(root: FileHandle, path: string) {
    this.#held = root;
    this.#steps = stepsOf(path);
  }

  at(name: string): string {
    return `/proc/self/fd/${this.#held.fd}/${name}`;
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
    if (this.#links > MOST_LINKS) throw new PlaceError("there is a loop of symbolic links on the way", undefined);
    const target = await readlink(this.at(name));
    const directory = await this.#held.stat();
    // Whoever owns a directory can put any link there, also one that root has made elsewhere.
    const uid = directory.uid === 0 ? link.uid : directory.uid;
    if (uid !== 0) this.#steps.push({ path: join(await readlink(`/proc/self/fd/${this.#held.fd}`), name), uid });
    this.#steps.push(...stepsOf(target));
    if (isAbsolute(target)) await this.#goTo("/");
  }

  async #goTo(path: string): Promise<void> {
    const next = await open(path, ON_THE_WAY);
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
