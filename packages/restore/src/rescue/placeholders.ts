import { join } from "node:path";
import { writeZeros } from "@soar/durable-files";
import type { FileOwner, ArchiveOutline } from "@soar/seekable-tar";

type Entry = ArchiveOutline["entries"][number];

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
  await writeZeros(join(targetDir, path), size, {
    mode,
    owner,
    within: { base: targetDir, owner },
    hint: "BACKUP_TEMP_DIR must lie on a file system with sparse files, room and free inodes.",
  });
}
