import { SoarError } from "@soar/errors";
import { BACKUP_OBJECTS, type BackupRecord } from "@soar/repository";
import type { ArchiveOutline, TableOutline } from "@soar/seekable-tar";
import { TABLESPACE_DIRECTORY } from "./delta/tablespace-directory.ts";

/** Without this file no server starts, so it appears last (safety, promise 6). */
export const CONTROL_FILE = "global/pg_control";

/**
 * Throws `REPOSITORY_DAMAGED` unless the archive of the data directory holds what makes it one: found out before anything is
 * fetched, because these files are needed last.
 */
export function requireEntries(
  { entries }: ArchiveOutline,
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

/**
 * Throws `REPOSITORY_DAMAGED` for what no server puts into a backup: a link, because what is written later would go through it
 * to anywhere, except those in pg_tblspc of tablespaces that the record names; and in a tablespace, whose place is the
 * repository's word, anything but directories of a server.
 */
export function requireLegalEntries(
  { archives }: Pick<TableOutline, "archives">,
  { label, tablespaces }: Pick<BackupRecord, "label" | "tablespaces">,
): void {
  const links = new Set(tablespaces.map(({ oid }) => `pg_tblspc/${oid}`));
  for (const { name, entries } of archives) {
    const isBase = name === "base";
    const illegal = entries.find(({ path, type }) => {
      const [first = ".", ...rest] = path.split("/").filter((part) => part !== "" && part !== ".");
      if (type === "file" || type === "directory") return !isBase && first !== "." && !TABLESPACE_DIRECTORY.test(first);
      return !(isBase && type === "symlink" && links.has([first, ...rest].join("/")));
    });
    if (illegal === undefined) continue;
    throw new SoarError(
      "REPOSITORY_DAMAGED",
      `backup '${label}' is not one that a server made: its archive '${name}' holds '${illegal.path}', ${describe(illegal)}`,
      {
        hint: "Somebody may have changed the repository. Look at it before anything is restored from there. Nothing was fetched.",
      },
    );
  }
}

function describe({ type, link }: ArchiveOutline["entries"][number]): string {
  if (type === "symlink" || type === "link") return `a link to '${link}'`;
  return type === "file" || type === "directory" ? "which belongs to no tablespace" : "a special file";
}
