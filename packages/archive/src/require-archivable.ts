import { SoarError } from "@soar/errors";
import type { WalFileName } from "@soar/pg-tools";

export type ArchivableWalFile = Exclude<WalFileName, { kind: "other" }>;

/**
 * A name that PostgreSQL may give one day, but whose meaning is not known, is not stored blindly as WAL.
 * Throws `WAL_NAME_INVALID`.
 */
export function requireArchivable(file: WalFileName): ArchivableWalFile {
  if (file.kind !== "other") return file;
  throw new SoarError(
    "WAL_NAME_INVALID",
    `unable to archive '${file.name}': it is not the name of a WAL segment, history or backup history file`,
    {
      hint: "Check that archive_command is 'soar-wal-archive %p %f'. If a newer PostgreSQL gives such names, a newer version of this program is needed.",
    },
  );
}
