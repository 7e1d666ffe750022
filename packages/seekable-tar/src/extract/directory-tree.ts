import { constants } from "node:fs";
import { lstat, mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SoarError } from "@soar/errors";
import type { FileAttributes, FileOwner } from "../pool/tasks.ts";
import { unwritable } from "../pool/unwritable.ts";
import { toFilePath } from "../tar/entry-name.ts";
import type { PlannedEntry } from "./planned-entry.ts";

/**
 * The directories under the target. Each one is looked at before it is used and has to be a real directory: whatever
 * symbolic links lie in the target, nothing is ever written through one.
 */
export class DirectoryTree {
  readonly #root: string;
  readonly #known = new Set<string>();
  /** Directories that were not there before. */
  readonly #made = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** The path of something under the target. */
  resolve(path: string): string {
    return path === "." ? this.#root : join(this.#root, path);
  }

  /** Makes sure that the directory of this path is there, with everything above it. */
  async prepareParent(path: string): Promise<void> {
    if (path !== ".") await this.prepare(dirname(path));
  }

  /** Makes sure that this directory is there, with everything above it; new ones are closed to others for now. */
  async prepare(path: string): Promise<void> {
    if (this.#known.has(path)) return;
    if (path === ".") {
      // Above the target links are the operator's own business.
      const made = await mkdir(toFilePath(this.#root), { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
        throw unwritable(this.#root, cause);
      });
      if (made !== undefined) this.#made.add(path);
    } else {
      await this.prepareParent(path);
      if (await this.#make(path)) this.#made.add(path);
    }
    this.#known.add(path);
  }

  /**
   * Gives directories their owner, mode and time, and with `sync` makes the names in all of them durable: last, because
   * every entry that is made changes the time. Directories that were made without being in the archive, such as the target
   * itself, get the owner too.
   */
  async finish(
    directories: readonly PlannedEntry[],
    { sync, owner }: { sync: boolean; owner: FileOwner | undefined },
  ): Promise<void> {
    const attributes = new Map(directories.map((directory) => [directory.path, directory.attributes]));
    for (const path of [...this.#known].sort((a, b) => depth(b) - depth(a))) {
      await finishDirectory(this.resolve(path), attributes.get(path) ?? (this.#made.has(path) ? { owner } : {}), sync);
    }
    if (sync) await finishDirectory(dirname(this.#root), {}, sync);
  }

  async #make(path: string): Promise<boolean> {
    const full = this.resolve(path);
    const name = toFilePath(full);
    try {
      const found = await lstat(name).catch(ignoreMissing);
      if (found === undefined) await mkdir(name, 0o700);
      else if (!found.isDirectory()) throw notADirectory(full);
      return found === undefined;
    } catch (cause) {
      throw unwritable(full, cause);
    }
  }
}

async function finishDirectory(
  path: string,
  { owner, mode, mtime }: Partial<FileAttributes>,
  sync: boolean,
): Promise<void> {
  if (owner === undefined && mode === undefined && !sync) return;
  try {
    // Opened before the mode changes, which may forbid reading.
    const handle = await open(toFilePath(path), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
      if (mode !== undefined) await handle.chmod(mode);
      if (mtime !== undefined) await handle.utimes(mtime, mtime);
      if (sync) await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

function depth(path: string): number {
  return path === "." ? 0 : path.split("/").length;
}

function notADirectory(path: string): SoarError {
  return new SoarError("FILE_UNWRITABLE", `unable to write to '${path}': it is there already and is no directory`, {
    hint: "Nothing is written through symbolic links; remove it, or extract its content to the directory that it points to.",
  });
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}
