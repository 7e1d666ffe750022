import { constants } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { unwritable } from "../pool/unwritable.ts";
import { toFilePath } from "../tar/entry-name.ts";
import type { FileAttributes, Place } from "../pool/tasks.ts";
import type { PlannedEntry } from "./planned-entry.ts";

/** A file that several members are written to. */
export interface OpenFile {
  readonly handle: FileHandle;
  readonly path: string;
  /** Created empty: zeros need not be written. */
  readonly fresh: boolean;
}

export interface OpenFilesOptions {
  readonly place: (path: string) => Place;
  readonly overwrite: boolean;
  readonly sync: boolean;
}

/** Files that are being synced while others are written: a sync waits for the disk, and workers must not wait with it. */
const SYNCS_AT_ONCE = 4;

/** Files that are being written: opened when their first bytes come, completed and closed behind their last ones. */
export class OpenFiles {
  readonly #options: OpenFilesOptions;
  readonly #files = new Map<PlannedEntry, { opening: Promise<OpenFile>; left: number }>();
  readonly #finishing = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(options: OpenFilesOptions) {
    this.#options = options;
  }

  async open(file: PlannedEntry): Promise<OpenFile> {
    let known = this.#files.get(file);
    if (known === undefined) {
      known = { opening: this.#open(file), left: file.entry.size };
      this.#files.set(file, known);
    }
    return await known.opening;
  }

  /**
   * Says that `bytes` more of the file are in place; with the last ones the file gets its attributes and is closed, which
   * may still go on afterwards. Rejects with what that failed with for an earlier file.
   */
  async complete(file: PlannedEntry, bytes: number): Promise<void> {
    const known = this.#files.get(file);
    if (known === undefined) throw new Error(`'${file.path}' is not open`);
    known.left -= bytes;
    if (known.left > 0) return;
    this.#files.delete(file);
    this.#begin(await known.opening, file);
    if (this.#finishing.size > SYNCS_AT_ONCE) await Promise.race(this.#finishing);
    this.#requireSuccess();
  }

  /** Waits until every file that is complete has its attributes and is on the disk. */
  async finish(): Promise<void> {
    await Promise.all(this.#finishing);
    this.#requireSuccess();
  }

  /** Closes what is still open after a failure. */
  async close(): Promise<void> {
    const left = [...this.#files.values()];
    this.#files.clear();
    for (const result of await Promise.allSettled(left.map(({ opening }) => opening))) {
      if (result.status === "fulfilled") await result.value.handle.close();
    }
    await Promise.all(this.#finishing);
  }

  #begin(opened: OpenFile, file: PlannedEntry): void {
    const finishing = this.#finish(opened, file)
      .catch((error: unknown) => void (this.#failure ??= { error }))
      .finally(() => this.#finishing.delete(finishing));
    this.#finishing.add(finishing);
  }

  #requireSuccess(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #open(file: PlannedEntry): Promise<OpenFile> {
    const { path, at } = this.#options.place(file.path);
    const { owner } = file.attributes;
    try {
      const existing = this.#options.overwrite ? await openExisting(toFilePath(at), owner) : undefined;
      const handle =
        existing ??
        (await open(
          toFilePath(at),
          constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
          0o600,
        ));
      try {
        // At once: an interrupted run is gone on with in files of the owner only.
        if (existing === undefined && owner !== undefined) await handle.chown(owner.uid, owner.gid);
        await handle.truncate(file.entry.size);
      } catch (error) {
        await handle.close();
        throw error;
      }
      return { handle, path, fresh: existing === undefined };
    } catch (cause) {
      throw unwritable(path, cause);
    }
  }

  async #finish({ handle, path }: OpenFile, { attributes }: PlannedEntry): Promise<void> {
    try {
      // The owner first: changing it takes away the set-user-ID bits of the mode.
      if (attributes.owner !== undefined) await handle.chown(attributes.owner.uid, attributes.owner.gid);
      await handle.chmod(attributes.mode);
      await handle.utimes(attributes.mtime, attributes.mtime);
      if (this.#options.sync) await handle.sync();
    } catch (cause) {
      throw unwritable(path, cause);
    } finally {
      await handle.close();
    }
  }
}

/** An ordinary file of this name and owner, open for reading and writing; everything else with this name is removed. */
async function openExisting(name: string | Buffer, owner: FileAttributes["owner"]): Promise<FileHandle | undefined> {
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(name, flags).catch(async (error: unknown) => {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return undefined;
    if (code !== "ELOOP") throw error;
    await rm(name);
    return undefined;
  });
  if (handle === undefined) return undefined;
  let isTheirs = false;
  try {
    const found = await handle.stat();
    // Another name of this file, for example in a copy that was made with hard links, must keep its content; so must a file of
    // anybody else.
    isTheirs = found.isFile() && found.nlink === 1 && (owner === undefined || found.uid === owner.uid);
  } finally {
    if (!isTheirs) await handle.close();
  }
  if (isTheirs) return handle;
  await rm(name);
  return undefined;
}
