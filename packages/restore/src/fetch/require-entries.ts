import { SoarError } from "@soar/errors";
import { BACKUP_OBJECTS, type BackupRecord } from "@soar/repository";
import type { SeekArchive } from "@soar/seekable-tar";

/** Without this file no server starts, so it appears last (safety, promise 6). */
export const CONTROL_FILE = "global/pg_control";

/**
 * Throws `REPOSITORY_DAMAGED` unless the archive of the data directory holds what makes it one: found out before anything is
 * fetched, because these files are needed last.
 */
export function requireEntries(
  { entries }: SeekArchive,
  { label, tablespaces }: Pick<BackupRecord, "label" | "tablespaces">,
): void {
  const needed = [
    CONTROL_FILE,
    BACKUP_OBJECTS.backupLabel,
    ...(tablespaces.length === 0 ? [] : [BACKUP_OBJECTS.tablespaceMap]),
  ];
  const missing = needed.find((path) => !entries.some((entry) => entry.type === "file" && entry.path === path));
  if (missing === undefined) return;
  throw new SoarError(
    "REPOSITORY_DAMAGED",
    `backup '${label}' is not whole: its archive of the data directory has no '${missing}'`,
    { hint: "Use another backup: --base-backup. Nothing was fetched." },
  );
}
