import type { RecoveryWindow, RestorableRange } from "@soar/repository/window";

export interface DrawOptions {
  /** Columns of the whole picture. */
  readonly width: number;
  readonly now: Date;
  /** When each backup ended, by label. */
  readonly backups: ReadonlyMap<string, Date>;
}

const LEGEND = "# restorable   B backup   . hole";

/**
 * One line per timeline over a common axis of time. A hole is never smaller than a column: what cannot be restored must
 * not vanish in the scale. Empty when nothing can be restored.
 */
export function drawWindow(window: RecoveryWindow, options: DrawOptions): string {
  const drawn = window.timelines.filter(({ ranges }) => ranges.length > 0);
  const starts = drawn.flatMap(({ ranges }) => ranges.map(({ from }) => Date.parse(from)));
  if (starts.length === 0) return "";
  const axis = { begin: Math.min(...starts), end: Math.max(options.now.getTime(), Math.min(...starts) + 1) };
  const margin = Math.max(...drawn.map(({ timeline }) => String(timeline).length)) + "timeline  ".length;
  const columns = Math.max(10, options.width - margin);
  const rows = drawn.map(
    ({ timeline, ranges }) =>
      `timeline ${timeline}`.padEnd(margin) + drawRanges(ranges, { ...axis, columns }, options.backups),
  );
  const [left, right] = [dayOf(axis.begin), dayOf(axis.end)];
  return [...rows, " ".repeat(margin) + left + right.padStart(columns - left.length), " ".repeat(margin) + LEGEND].join(
    "\n",
  );
}

interface Axis {
  readonly begin: number;
  readonly end: number;
  readonly columns: number;
}

function drawRanges(ranges: readonly RestorableRange[], axis: Axis, backups: DrawOptions["backups"]): string {
  const cells = Array.from({ length: axis.columns }, () => " ");
  const column = (time: number): number =>
    Math.min(axis.columns - 1, Math.max(0, Math.floor(((time - axis.begin) / (axis.end - axis.begin)) * axis.columns)));
  const fill = (from: number, to: number, cell: string): void => void cells.fill(cell, column(from), column(to) + 1);
  for (const { from, to } of ranges) fill(Date.parse(from), Date.parse(to ?? from), "#");
  for (const range of ranges) {
    for (const label of range.backups) {
      const at = backups.get(label)?.getTime();
      if (at !== undefined && at >= Date.parse(range.from)) cells[column(at)] = "B";
    }
  }
  for (const [position, { to, from, hole }] of ranges.entries()) {
    if (hole === undefined) continue;
    const next = ranges[position + 1];
    // The hole begins behind the last commit and ends before the next backup, from which on it is restorable again.
    const end = next === undefined ? axis.columns : column(Date.parse(next.from));
    const begin = Math.min(column(Date.parse(to ?? from)) + 1, axis.columns - 1, Math.max(end - 1, 0));
    cells.fill(".", begin, Math.max(end, begin + 1));
  }
  return cells.join("").trimEnd();
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
