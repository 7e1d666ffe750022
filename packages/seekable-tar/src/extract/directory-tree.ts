import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { isRoot, makeDirectory } from "@soar/durable-files";
import { enterDirectory, type HeldDirectory, holdDirectory } from "@soar/durable-files/directories";
import { SoarError } from "@soar/errors";
import type { FileAttributes, FileOwner, Place } from "../pool/tasks.ts";
import { unwritable } from "../pool/unwritable.ts";
import { toFilePath } from "../tar/entry-name.ts";
import type { PlannedEntry } from "./planned-entry.ts";

/** A directory under the target that entries are made in. */
interface KnownDirectory {
  readonly held: HeldDirectory;
  /** Whether it was not there before. */
  readonly isNew: boolean;
}

/**
 * The directories under the target. Each one is looked at before it is used and has to be a real directory: whatever
 * symbolic links lie in the target, nothing is ever written through one. As root they are held open to the end, because
 * whoever owns them can exchange them for links at any moment.
 */
export class DirectoryTree implements AsyncDisposable {
  readonly #root: string;
  readonly #owner: FileOwner | undefined;
  readonly #known = new Map<string, KnownDirectory>();

  /** @param owner whose everything is going to be; whoever runs the process unless said otherwise */
  constructor(root: string, owner: FileOwner | undefined) {
    this.#root = root;
    this.#owner = isRoot() ? owner : undefined;
  }

  /** The place of something under the target, whose directory was prepared. */
  place(path: string): Place {
    if (path === ".") return { path: this.#root, at: this.#require(".").at(".") };
    return { path: this.#full(path), at: this.#require(dirname(path)).at(basename(path)) };
  }

  /** Makes sure that the directory of this path is there, with everything above it. */
  async prepareParent(path: string): Promise<void> {
    if (path !== ".") await this.prepare(dirname(path));
  }

  /** Makes sure that this directory is there, with everything above it; new ones are closed to others for now. */
  async prepare(path: string): Promise<void> {
    if (this.#known.has(path)) return;
    await this.prepareParent(path);
    this.#known.set(path, path === "." ? await this.#prepareRoot() : await this.#prepare(path));
  }

  /**
   * Gives directories their owner, mode and time, and with `sync` makes the names in all of them durable: last, because
   * every entry that is made changes the time. Directories that were made without being in the archive, such as the target
   * itself, get the owner too.
   */
  async finish(directories: readonly PlannedEntry[], { sync }: { sync: boolean }): Promise<void> {
    const attributes = new Map(directories.map((directory) => [directory.path, directory.attributes]));
    for (const [path, { held, isNew }] of [...this.#known].sort(([a], [b]) => depth(b) - depth(a))) {
      const wanted = attributes.get(path) ?? (isNew ? { owner: this.#owner } : {});
      await finishDirectory(held, { path: this.#full(path), at: held.at(".") }, wanted, sync);
    }
    if (!sync) return;
    await using above = await holdDirectory(dirname(this.#root));
    await above.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { held } of this.#known.values()) await held[Symbol.asyncDispose]();
    this.#known.clear();
  }

  #full(path: string): string {
    return path === "." ? this.#root : join(this.#root, path);
  }

  #require(path: string): HeldDirectory {
    const known = this.#known.get(path);
    if (known === undefined) throw new Error(`the directory '${path}' was not prepared`);
    return known.held;
  }

  /** Above the target links are the operator's own business. */
  async #prepareRoot(): Promise<KnownDirectory> {
    const isNew = await makeDirectory(this.#root, { mode: 0o700, owner: this.#owner, sync: "none" });
    const within = this.#owner === undefined ? undefined : { base: this.#root, owner: this.#owner };
    try {
      return { held: await holdDirectory(this.#root, within), isNew };
    } catch (cause) {
      throw unwritable(this.#root, cause);
    }
  }

  async #prepare(path: string): Promise<KnownDirectory> {
    const parent = this.#require(dirname(path));
    const full = this.#full(path);
    const at = toFilePath(parent.at(basename(path)));
    try {
      const found = await lstat(at).catch(ignoreMissing);
      if (found === undefined) await mkdir(at, 0o700);
      else if (!found.isDirectory()) throw notADirectory(full);
      const held = await enterDirectory(parent, at, full);
      // At once: what an interrupted run leaves is to belong to whom it is going to belong to.
      if (found === undefined) await this.#give(held);
      return { held, isNew: found === undefined };
    } catch (cause) {
      throw unwritable(full, cause);
    }
  }

  /** Lets go of the directory when that fails. */
  async #give(held: HeldDirectory): Promise<void> {
    if (this.#owner === undefined) return;
    try {
      await held.handle?.chown(this.#owner.uid, this.#owner.gid);
    } catch (error) {
      await held[Symbol.asyncDispose]();
      throw error;
    }
  }
}

async function finishDirectory(
  held: HeldDirectory,
  { path, at }: Place,
  attributes: Partial<FileAttributes>,
  sync: boolean,
): Promise<void> {
  if (attributes.owner === undefined && attributes.mode === undefined && !sync) return;
  try {
    if (held.handle !== undefined) return await setAll(held.handle, attributes, sync);
    // Opened before the mode changes, which may forbid reading.
    await using handle = await open(toFilePath(at), constants.O_RDONLY | constants.O_DIRECTORY);
    await setAll(handle, attributes, sync);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

async function setAll(
  handle: FileHandle,
  { owner, mode, mtime }: Partial<FileAttributes>,
  sync: boolean,
): Promise<void> {
  if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
  if (mode !== undefined) await handle.chmod(mode);
  if (mtime !== undefined) await handle.utimes(mtime, mtime);
  if (sync) await handle.sync();
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
