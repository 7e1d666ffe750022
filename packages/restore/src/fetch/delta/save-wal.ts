import { join } from "node:path";
import {
  makeDirectory,
  moveEntry,
  namesIfPresent,
  type Owner,
  removeFile,
  replaceFile,
  statIfPresent,
  syncDirectory,
  systemErrorCode,
} from "@soar/durable-files";
import { openOrdinaryIfPresent } from "@soar/durable-files/if-present";
import { COPY_MARK } from "@soar/repository";
import { inDataDirectory, RESTORE_STATE_DIRECTORY } from "../../data-directory.ts";
import { savedWalPrefix } from "../../status/kept-record.ts";
import { isFile } from "../../is-file.ts";
import { heldControlFile } from "./hold-control-file.ts";

export interface SaveWalOptions {
  readonly needed?: ReadonlySet<string>;
  readonly owner?: Owner | undefined;
}

const WAL_FILE = /^[0-9A-F]{24}(?:\.partial)?$|^[0-9A-F]{8}\.history$/;

/**
 * Puts WAL aside that a cluster had not archived when its directory is about to be overwritten: it may be the only copy
 * of the last commits (safety, trap 41). Done once per cluster, however often the restore is interrupted. Resolves to the
 * directory beside the data directory that holds it, undefined when there is nothing to save.
 *
 * @param options.needed names that recovery is going to need from here, whatever PostgreSQL thinks of them
 * @param options.owner who runs the server, which reads it from there in recovery
 */
export async function saveUnarchivedWal(
  dataDir: string,
  { needed = new Set(), owner }: SaveWalOptions = {},
): Promise<string | undefined> {
  const held = heldControlFile(dataDir);
  const control = await statIfPresent(held);
  if (control === undefined) return undefined;
  const walDir = join(dataDir, "pg_wal");
  const names = await unarchivedFiles(walDir, needed);
  // Of the last checkpoint, so that a second try after an interruption goes on in the same place.
  const place = `${savedWalPrefix(dataDir)}${control.mtime.toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
  if (names.length > 0) {
    await makeDirectory(place, { mode: 0o700, owner, sync: "directory" });
    // Else nothing would tell, once the directory is overwritten, that it is not the source's own WAL.
    if (await isFile(join(dataDir, COPY_MARK)))
      await replaceFile(join(place, COPY_MARK), "", { mode: 0o600, owner, sync: "directory" });
    for (const name of names) await move(join(walDir, name), join(place, name), owner);
    await syncDirectory(place);
  }
  // Not synced: after a crash it would be looked for once more, and nothing found.
  const done = join(dataDir, RESTORE_STATE_DIRECTORY, "pg_control.saved");
  await moveEntry(held, done, { sync: "none", within: inDataDirectory(dataDir, owner) });
  return names.length > 0 ? place : undefined;
}

/**
 * Everything that PostgreSQL does not know to be archived, the segment that it wrote last included. Histories always: they
 * tell which timeline the segments are of.
 */
async function unarchivedFiles(walDir: string, needed: ReadonlySet<string>): Promise<string[]> {
  // Something else has its place, and is removed.
  const names = (await namesIfPresent(walDir)) ?? [];
  const done = new Set(await namesIfPresent(join(walDir, "archive_status")));
  const unarchived = names.filter((name) => WAL_FILE.test(name) && (needed.has(name) || !done.has(`${name}.done`)));
  return unarchived.length === 0
    ? []
    : [...new Set([...unarchived, ...names.filter((name) => name.endsWith(".history"))])].sort();
}

/** The directory beside may lie on another file system, when the data directory is one by itself. */
async function move(from: string, to: string, owner: Owner | undefined): Promise<void> {
  try {
    // All of them are synced together.
    await moveEntry(from, to, { sync: "none" });
  } catch (error) {
    if (systemErrorCode(error) !== "EXDEV") throw error;
    await using source = await openOrdinaryIfPresent(from);
    if (source === undefined) throw error;
    // It may be the only copy of the last commits: on the disk here before it goes there.
    await replaceFile(to, source.createReadStream(), { mode: 0o600, owner, sync: "directory" });
    await removeFile(from, { sync: "none" });
  }
}
