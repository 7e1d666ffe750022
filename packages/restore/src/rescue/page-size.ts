import { SoarError } from "@soar/errors";
import type { BackupRecord } from "@soar/repository";

/** What `configure --with-blocksize` takes, in bytes. */
const PAGE_SIZES = ["1024", "2048", "4096", "8192", "16384", "32768"];

/** Bytes of the pages of a backup's relations. Throws `REPOSITORY_DAMAGED` for what no PostgreSQL has. */
export function pageSizeOf({ label, settings }: Pick<BackupRecord, "label" | "settings">): number {
  const text = settings["block_size"] ?? "8192";
  if (PAGE_SIZES.includes(text)) return Number(text);
  throw new SoarError(
    "REPOSITORY_DAMAGED",
    `the record of backup '${label}' is damaged: no PostgreSQL has pages of '${text}' bytes`,
    { hint: "Use another backup: --base-backup." },
  );
}
