import { SoarError } from "@soar/errors";
import { formatWalSegment, toHex8, type WalSegment } from "./wal-segment.ts";

/** What PostgreSQL hands to `archive_command`, told apart by name alone. */
export type WalFileName =
  | { readonly kind: "segment"; readonly name: string; readonly timeline: number; readonly segmentName: string }
  /** The unfinished last segment of a timeline, archived when another timeline branches off in it. Recovery never asks for it. */
  | { readonly kind: "partial"; readonly name: string; readonly timeline: number; readonly segmentName: string }
  | { readonly kind: "history"; readonly name: string; readonly timeline: number }
  | {
      readonly kind: "backup-history";
      readonly name: string;
      readonly timeline: number;
      /** Segment that holds the backup's start LSN. */
      readonly segmentName: string;
      /** Offset of the start LSN in that segment, in bytes. */
      readonly startOffset: number;
    }
  /** Allowed by the documentation of `archive_command`, not produced by any version known today. */
  | { readonly kind: "other"; readonly name: string };

const KNOWN_SHAPES = /^([0-9A-F]{8})(?:(\.history)|([0-9A-F]{16})(?:(\.partial)|\.([0-9A-F]{8})\.backup)?)$/;

/**
 * The documentation of continuous archiving promises no more than "up to 64 characters long ... any combination of
 * ASCII letters, digits, and dots". A leading dot is refused: `..` would leave the directory, others would be hidden.
 */
const ARCHIVABLE_NAME = /^[0-9A-Za-z][0-9A-Za-z.]{0,63}$/;

/** Tells what kind of file a name from `pg_wal` stands for. Throws WAL_NAME_INVALID for a name that PostgreSQL does not give. */
export function parseWalFileName(name: string): WalFileName {
  const [, timelineDigits = "", history, position, partial, offset] = KNOWN_SHAPES.exec(name) ?? [];
  const timeline = parseInt(timelineDigits, 16);
  // There is no timeline 0, so such a name is not what it looks like.
  if (timeline > 0) {
    if (history !== undefined) return { kind: "history", name, timeline };
    const segmentName = `${timelineDigits}${position}`;
    if (offset !== undefined)
      return { kind: "backup-history", name, timeline, segmentName, startOffset: parseInt(offset, 16) };
    return { kind: partial === undefined ? "segment" : "partial", name, timeline, segmentName };
  }
  if (timeline === 0 || !ARCHIVABLE_NAME.test(name)) {
    throw new SoarError(
      "WAL_NAME_INVALID",
      `unable to read '${name}' as the name of a WAL file: PostgreSQL does not give such names`,
      {
        hint: "Pass PostgreSQL's %f as the name, not a path.",
      },
    );
  }
  return { kind: "other", name };
}

/** Name of the file that tells from where timeline `timeline` branched off, for example `00000002.history`. */
export function formatHistoryFileName(timeline: number): string {
  return `${toHex8(timeline)}.history`;
}

/** Name of the file that PostgreSQL archives at the end of a backup that began `startOffset` bytes into this segment. */
export function formatBackupHistoryName(segment: WalSegment, startOffset: number, segmentSize: number): string {
  return `${formatWalSegment(segment, segmentSize)}.${toHex8(startOffset)}.backup`;
}

/** Name under which the unfinished last segment of a timeline is archived. */
export function formatPartialName(segment: WalSegment, segmentSize: number): string {
  return `${formatWalSegment(segment, segmentSize)}.partial`;
}
