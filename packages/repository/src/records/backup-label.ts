import { SoarError } from "@soar/errors";

/** A base backup's name: a UTC date, or for a further one of that day date and time to the second. */
export type BackupLabel = string;

const LABEL = /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2})(\d{2})(\d{2})Z)?$/;

/** True for `2025-01-05` and `2025-01-05T140312Z` that name a moment which exists. */
export function isBackupLabel(text: string): boolean {
  return parseLabelMoment(text) !== undefined;
}

/** Throws `USAGE` for anything that is not a label. */
export function requireBackupLabel(text: string): BackupLabel {
  if (isBackupLabel(text)) return text;
  throw new SoarError("USAGE", `'${text}' is not the label of a backup`, {
    hint: "Labels look like 2025-01-05 or 2025-01-05T140312Z; soar-base-backup list shows them.",
  });
}

/**
 * The label for a backup that starts at `startedAt`: the date, unless that is taken, and otherwise date and second. That may be taken as
 * well: then the next second has one.
 */
export function chooseBackupLabel(startedAt: Date, taken: ReadonlySet<string>): BackupLabel {
  const date = startedAt.toISOString().slice(0, 10);
  return taken.has(date) ? `${date}T${startedAt.toISOString().slice(11, 19).replaceAll(":", "")}Z` : date;
}

function parseLabelMoment(text: string): Date | undefined {
  const [, year, month, day, hour = "00", minute = "00", second = "00"] = LABEL.exec(text) ?? [];
  if (year === undefined) return undefined;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const moment = new Date(iso);
  // Date accepts 2025-02-30 as 2 March: only text that survives the round trip names a moment that exists.
  return !Number.isNaN(moment.getTime()) && moment.toISOString() === iso ? moment : undefined;
}
