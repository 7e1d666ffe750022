import { SoarError } from "@soar/errors";
import { freeBytesAt } from "../data-directory.ts";
import type { RestorePlan } from "../plan/plan.ts";

/** A compressed dump beside its tables. */
const DUMP_FACTOR = 1.5;
/** Replay turns holes of placeholders into pages, at most as many as WAL has images of; compressed, they count double. */
const WAL_FACTOR = 2;
/** Segments that the server keeps until its next restart point. */
const KEPT_WAL_BYTES = 256 * 2 ** 20;

/** What a rescue takes in the temporary directory, at the most that can be told beforehand. Rejects with `DISK_FULL`. */
export async function requireScratchRoom(
  plan: Pick<RestorePlan, "fetchBytes">,
  plainBytes: number,
  tempDir: string,
): Promise<void> {
  const needed = Math.round(plainBytes * DUMP_FACTOR + plan.fetchBytes.wal * WAL_FACTOR + KEPT_WAL_BYTES);
  const free = await freeBytesAt(tempDir);
  if (free >= needed) return;
  throw new SoarError(
    "DISK_FULL",
    `unable to make a scratch cluster in '${tempDir}': about ${needed} bytes are needed there, ${free} are free`,
    {
      hint: "Free space, or name a directory on a larger file system with --temp-dir or BACKUP_TEMP_DIR. Nothing was changed.",
    },
  );
}
