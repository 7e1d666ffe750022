import { formatDuration } from "@soar/app-kit";
import type { BackupDirectory } from "@soar/repository";
import type { RangeHole, RecoveryWindow, RestorableRange, TimelineWindow } from "@soar/repository/window";
import { drawWindow } from "./draw-window.ts";

export interface DescribeWindowOptions {
  readonly backups: readonly BackupDirectory[];
  /** What BACKUP_RETENTION_DAYS promises. */
  readonly retentionDays: number;
  /** Columns; Infinity without a terminal. */
  readonly width: number;
  readonly now: Date;
}

/** The restorable window in words, and drawn. */
export function describeWindow(
  window: RecoveryWindow,
  { backups, retentionDays, width, now }: DescribeWindowOptions,
): string {
  const ended = new Map(
    backups.flatMap(({ label, record }) =>
      record === undefined ? [] : [[label, new Date(record.stoppedAt)] as const],
    ),
  );
  const lines = ["Restorable"];
  for (const timeline of window.timelines) lines.push(...describeTimeline(timeline));
  if (lines.length === 1) lines.push("  nothing");
  for (const { timeline, reason } of window.unreadable) lines.push(`  timeline ${timeline} cannot be told: ${reason}`);
  const since = window.timelines.flatMap(({ ranges }) => ranges.map(({ from }) => Date.parse(from)));
  const windowStart = now.getTime() - retentionDays * 86_400_000;
  if (since.length > 0 && Math.min(...since) > windowStart)
    lines.push(
      `  The window of ${retentionDays} days is not full yet: it began ${formatDuration(now.getTime() - Math.min(...since))} ago.`,
    );
  for (const { from, to, declaredBy, declaredAt, reason } of window.gaps)
    lines.push(`  WAL given up: ${from} to ${to}, by ${declaredBy} at ${minuteOf(declaredAt)}: ${reason}`);
  const picture = drawWindow(window, { width: Math.min(80, width), now, backups: ended });
  return [...lines, ...(picture === "" ? [] : ["", picture])].join("\n");
}

function describeTimeline({ timeline, parent, ranges, unusable }: TimelineWindow): string[] {
  const lines = ranges.map(
    (range, index) =>
      `  ${index === 0 ? `timeline ${timeline}:` : " ".repeat(`timeline ${timeline}:`.length)} ${describeRange(range)}`,
  );
  if (parent !== undefined && lines[0] !== undefined)
    lines[0] += ` (left timeline ${parent.timeline} at ${parent.switchLsn})`;
  return [...lines, ...unusable.map((label) => `  backup ${label} cannot be used: WAL that it needs is missing`)];
}

function describeRange({ from, to, hole }: RestorableRange): string {
  const span =
    to === undefined
      ? `${secondOf(from)}, no commit since`
      : `${secondOf(from)} to ${secondOf(to)} (${formatDuration(Date.parse(to) - Date.parse(from))})`;
  return hole === undefined ? span : `${span}, then ${describeHole(hole)}`;
}

function describeHole({ from, to, count, declared, expired }: RangeHole): string {
  if (expired) return `nothing: expiry removed the WAL from ${from} to ${to}`;
  const what =
    count === 1 ? `a hole: ${from} is missing` : `a hole: ${count} segments from ${from} to ${to} are missing`;
  return declared === undefined ? what : `${what}, given up by ${declared.by}: ${declared.reason}`;
}

function secondOf(instant: string): string {
  return instant.slice(0, 19).replace("T", " ");
}

function minuteOf(instant: string): string {
  return instant.slice(0, 16).replace("T", " ");
}
