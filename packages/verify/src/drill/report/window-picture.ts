import type { RecoveryWindow, RestorableRange } from "@soar/repository/window";
import type { DrillReport } from "./drill-report.ts";
import { html, type Html } from "./html-text.ts";
import { instant } from "./report-words.ts";

const [ROW, TOP] = [34, 8];

interface Axis {
  readonly begin: number;
  readonly end: number;
}

/**
 * The restorable window, one bar per timeline over a common axis, with holes, the backup that was tested and the instant that
 * was restored. Positions are percentages, so that text keeps its size on a telephone.
 */
export function drawWindowPicture({ window, startedAt, reached, tested }: DrillReport): Html {
  const drawn = window?.timelines.filter(({ ranges }) => ranges.length > 0) ?? [];
  if (drawn.length === 0) return html`<p class="quiet">No window to draw: nothing can be restored.</p>`;
  const axis = axisOf(drawn, Date.parse(startedAt));
  const height = TOP + drawn.length * ROW + 22;
  const target = reached?.newestCommit ?? tested?.endedAt;
  const at = target === undefined ? undefined : place(Date.parse(target), axis);
  const rows = drawn.map(({ timeline, ranges }, index) => drawRow(timeline, ranges, { axis, y: TOP + index * ROW }));
  return html`<svg class="picture" role="img" aria-label="The restorable window" width="100%" height="${height}">
${rows}${backupMark(tested?.endedAt, axis, drawn.length)}${at === undefined ? undefined : html`<line class="target" x1="${at}%" x2="${at}%" y1="0" y2="${TOP + drawn.length * ROW}"><title>restored: ${target}</title></line>`}
<text class="axis" x="0" y="${height - 4}">${instant(new Date(axis.begin).toISOString()).slice(0, 16)}</text><text class="axis" x="100%" y="${height - 4}" text-anchor="end">${instant(new Date(axis.end).toISOString()).slice(0, 16)}</text>
</svg>
<ul class="legend"><li><i class="key range"></i>restorable</li><li><i class="key hole"></i>hole</li><li><i class="key backup"></i>backup tested</li><li><i class="key target"></i>newest commit restored</li></ul>`;
}

function axisOf(drawn: RecoveryWindow["timelines"], now: number): Axis {
  const begin = Math.min(...drawn.flatMap(({ ranges }) => ranges.map(({ from }) => Date.parse(from))));
  return { begin, end: Math.max(now, begin + 1000) };
}

function drawRow(
  timeline: number,
  ranges: readonly RestorableRange[],
  { axis, y }: { readonly axis: Axis; readonly y: number },
): Html {
  const bars = ranges.map((range, at) => drawRange(range, ranges[at + 1], { axis, y: y + 14 }));
  return html`<text class="axis" x="0" y="${y + 9}">timeline ${timeline}</text>${bars}`;
}

/** What cannot be restored must not vanish in the scale: nothing is narrower than two pixels. */
function drawRange(
  { from, to, hole }: RestorableRange,
  next: RestorableRange | undefined,
  { axis, y }: { readonly axis: Axis; readonly y: number },
): Html {
  const [begin, end] = [place(Date.parse(from), axis), place(Date.parse(to ?? from), axis)];
  const bar = html`<rect class="range" x="${begin}%" y="${y}" width="${Math.max(0.6, end - begin)}%" height="14" rx="2"><title>${from} to ${to ?? "the end of the backup"}</title></rect>`;
  if (hole === undefined) return bar;
  const until = next === undefined ? 100 : place(Date.parse(next.from), axis);
  return html`${bar}<rect class="hole" x="${end}%" y="${y}" width="${Math.max(0.6, until - end)}%" height="14" rx="2"><title>${hole.count} segments ${hole.expired ? "have expired" : "are missing"}: ${hole.from} to ${hole.to}</title></rect>`;
}

function backupMark(endedAt: string | undefined, axis: Axis, rows: number): Html | undefined {
  if (endedAt === undefined) return undefined;
  const x = place(Date.parse(endedAt), axis);
  return html`<line class="backup" x1="${x}%" x2="${x}%" y1="0" y2="${TOP + rows * ROW}"><title>backup: ${endedAt}</title></line>`;
}

/** Percent from the left. */
function place(time: number, { begin, end }: Axis): number {
  return Math.round(Math.min(100, Math.max(0, ((time - begin) / (end - begin)) * 100)) * 100) / 100;
}
