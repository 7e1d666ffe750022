import { open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { SoarError } from "@soar/errors";

/**
 * Replaces a file so that after a crash either the old or the new content is there: written beside it, synced, renamed,
 * directory synced. The new file belongs to the owner of the directory, because root may write for the server's user.
 * Throws FILE_UNWRITABLE or DISK_FULL.
 */
export async function writeAtomically(path: string, content: string): Promise<void> {
  const temporary = `${path}.soar-tmp`;
  try {
    await writeSynced(temporary, content);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (cause) {
    const causes = [cause];
    await rm(temporary, { force: true }).catch((second: unknown) => causes.push(second));
    throw unwritable(path, causes.length === 1 ? cause : new AggregateError(causes, String(cause)));
  }
}

/** Removes a file for good, if it is there. Throws FILE_UNWRITABLE. */
export async function removeSynced(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
    await syncDirectory(dirname(path));
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

async function writeSynced(path: string, content: string): Promise<void> {
  const owner = await stat(dirname(path));
  await rm(path, { force: true });
  // Never through a link: root must not be led to another file by the owner of the directory.
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(content);
  await file.chown(owner.uid, owner.gid);
  await file.sync();
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, "r");
  await directory.sync();
}

/** What a failed write means for the operator. */
export function unwritable(path: string, cause: unknown): SoarError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new SoarError("DISK_FULL", `unable to write '${path}': no room is left`, { cause });
  return new SoarError("FILE_UNWRITABLE", `unable to write '${path}': ${message}`, {
    cause,
    hint: "Run as the user that owns the data directory, or as root.",
  });
}
