import { open } from "node:fs/promises";
import { join } from "node:path";
import { SoarError } from "@soar/errors";
import type { FileOwner, SeekArchive } from "@soar/seekable-tar";

type Entry = SeekArchive["entries"][number];

export interface PlaceholderOptions {
  readonly targetDir: string;
  readonly owner: FileOwner | undefined;
  readonly signal?: AbortSignal | undefined;
}

const AT_ONCE = 32;

/**
 * Creates files of the recorded sizes that take no space. Recovery then finds every page that WAL refers to: as one of
 * zeros, which either a full image replaces or recovery reports (safety, trap 55).
 */
export async function createPlaceholders(entries: readonly Entry[], options: PlaceholderOptions): Promise<void> {
  for (let at = 0; at < entries.length; at += AT_ONCE) {
    options.signal?.throwIfAborted();
    await Promise.all(entries.slice(at, at + AT_ONCE).map((entry) => createPlaceholder(entry, options)));
  }
}

async function createPlaceholder({ path, size, mode }: Entry, { targetDir, owner }: PlaceholderOptions): Promise<void> {
  const name = join(targetDir, path);
  try {
    await using file = await open(name, "wx", mode);
    await file.truncate(size);
    if (owner !== undefined) await file.chown(owner.uid, owner.gid);
  } catch (cause) {
    throw new SoarError("FILE_UNWRITABLE", `unable to create '${name}': ${(cause as Error).message}`, {
      cause,
      hint: "BACKUP_TEMP_DIR must lie on a file system with sparse files, room and free inodes.",
    });
  }
}
