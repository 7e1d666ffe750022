import { basename, dirname, resolve } from "node:path";
import { isSoarError, SoarError } from "@soar/errors";
import { parseTimelineHistory, type WalFileName } from "@soar/pg-tools";
import { parseBackupHistoryOf } from "@soar/pg-tools/labels";

/**
 * A history file is stored once and for ever: every later restore follows that of a timeline, and whoever restores by hand
 * that of a backup. What cannot be read as the one that its name promises is not put where it would stand in the way of the true
 * one, for which archiving would be stuck from then on. Segments of a later PostgreSQL are refused as well, so that its
 * format stops nothing. Throws `WAL_INVALID`.
 */
export function requireReadableHistory(path: string, file: WalFileName, content: Buffer): void {
  // A segment as text would be as many megabytes again.
  if (file.kind !== "backup-history" && file.kind !== "history") return;
  const text = content.toString("utf8");
  try {
    if (file.kind === "backup-history") parseBackupHistoryOf(file, text);
    else requireTimelineHistory(path, file, text);
  } catch (cause) {
    throw isSoarError(cause) && cause.code === "FORMAT_INVALID" ? noHistory(path, file, cause.message, cause) : cause;
  }
}

/** PostgreSQL writes none without an ancestor, and ends each line: a number that was cut off is another number. */
function requireTimelineHistory(
  path: string,
  file: Extract<WalFileName, { readonly kind: "history" }>,
  text: string,
): void {
  const { entries } = parseTimelineHistory(text, file.timeline);
  if (entries.length === 0) throw noHistory(path, file, "it names no timeline that this one comes from");
  if (!text.endsWith("\n")) throw noHistory(path, file, "its last line is cut off");
}

/** For a file that is not the history which its name promises. */
export function noHistory(path: string, file: WalFileName, fact: string, cause?: SoarError): SoarError {
  return new SoarError(
    "WAL_INVALID",
    `unable to archive '${path}': it is not what its name '${file.name}' says: ${fact}`,
    { cause, hint: file.kind === "backup-history" ? wayOut(path, file.name) : HINT },
  );
}

const HINT =
  "PostgreSQL writes these files itself; look for something else that writes to pg_wal, or for a command that copies them in part. Nothing was stored.";

/** PostgreSQL syncs none of these: a power loss leaves one that is cut off or empty, and it asks for that again for ever. */
function wayOut(path: string, name: string): string {
  const there = basename(dirname(resolve(path))) === "pg_wal" ? resolve(path) : `pg_wal/${name}`;
  return `A power loss may have cut it off. No recovery needs it: move it away (mv '${there}' /tmp), and PostgreSQL goes on by itself. Nothing was stored.`;
}
