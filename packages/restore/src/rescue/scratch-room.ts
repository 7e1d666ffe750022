import { SoarError } from "@soar/errors";
import { freeBytesAt } from "../data-directory.ts";
import type { RestorePlan } from "../plan/plan.ts";

/** A compressed dump beside its tables. */
const DUMP_FACTOR = 1.5;
/** Replay turns holes of placeholders into pages, at most as many as WAL has images of; compressed, they count double. */
const WAL_FACTOR = 2;
/** Segments that the server keeps until its next restart point. */
const KEPT_WAL_BYTES = 256 * 2 ** 20;

/** What comes from the backup, in plain bytes. */
export interface ScratchContent {
  readonly plainBytes: number;
  /** Bytes of it that become holes; asked for only where it would not fit with them. */
  readonly countHoles: () => Promise<number>;
  /** Whether a dump is written beside it. */
  readonly isDumped: boolean;
}

/**
 * What a scratch cluster takes in the temporary directory, at the most that can be told beforehand. Rejects with `DISK_FULL`. Holes of
 * sparse files do not count, as in every restore: see `requireRoom`.
 */
export async function requireScratchRoom(
  plan: Pick<RestorePlan, "fetchBytes">,
  { plainBytes, countHoles, isDumped }: ScratchContent,
  tempDir: string,
): Promise<void> {
  const neededFor = (bytes: number): number =>
    Math.round(bytes * (isDumped ? DUMP_FACTOR : 1) + plan.fetchBytes.wal * WAL_FACTOR + KEPT_WAL_BYTES);
  const free = await freeBytesAt(tempDir);
  if (free >= neededFor(plainBytes)) return;
  const needed = neededFor(Math.max(0, plainBytes - (await countHoles())));
  if (free >= needed) return;
  throw new SoarError(
    "DISK_FULL",
    `unable to make a scratch cluster in '${tempDir}': about ${needed} bytes are needed there, ${free} are free`,
    {
      hint: "Free space, or name a directory on a larger file system with --temp-dir or BACKUP_TEMP_DIR. Nothing was changed.",
    },
  );
}
