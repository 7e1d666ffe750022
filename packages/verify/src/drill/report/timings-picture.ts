import type { DrillReport, DrillTimings } from "./drill-report.ts";
import { html, type Html } from "./html-text.ts";
import { seconds } from "./report-words.ts";

interface Bar {
  readonly name: string;
  readonly className: string;
  readonly fromMs: number;
  readonly lengthMs: number;
}

const ROW = 40;

/** When what went on, one bar per phase over the time of the drill. */
export function drawTimingsPicture({ timings }: Pick<DrillReport, "timings">): Html {
  const bars = barsOf(timings);
  const end = Math.max(1, timings.totalMs, ...bars.map(({ fromMs, lengthMs }) => fromMs + lengthMs));
  const rows = bars.map(({ name, className, fromMs, lengthMs }, at) => {
    const [x, width] = [percent(fromMs, end), Math.max(0.5, percent(lengthMs, end))];
    return html`<text class="axis" x="0" y="${at * ROW + 12}">${name}</text><text class="amount" x="100%" y="${at * ROW + 12}" text-anchor="end">${seconds(lengthMs)}</text><rect class="track" x="0" y="${at * ROW + 18}" width="100%" height="12" rx="2"/><rect class="${className}" x="${Math.min(x, 99.5)}%" y="${at * ROW + 18}" width="${width}%" height="12" rx="2"/>`;
  });
  return html`<svg class="picture" role="img" aria-label="How long each part took" width="100%" height="${bars.length * ROW}">
${rows}
</svg>`;
}

/** Downloading and extracting go on side by side; what was left of the total at the beginning went into looking around. */
function barsOf({ planMs = 0, downloadMs, extractMs, replayMs, restoreMs, checksMs }: DrillTimings): Bar[] {
  const fetchMs =
    restoreMs === undefined || replayMs === undefined
      ? Math.max(downloadMs ?? 0, extractMs ?? 0)
      : restoreMs - planMs - replayMs;
  const all = [
    { name: "plan", className: "bar plan", fromMs: 0, lengthMs: planMs },
    { name: "download", className: "bar fetch", fromMs: planMs, lengthMs: downloadMs },
    {
      name: "extract (beside the download)",
      className: "bar fetch",
      fromMs: planMs + Math.max(0, fetchMs - (extractMs ?? 0)),
      lengthMs: extractMs,
    },
    { name: "replay of WAL", className: "bar replay", fromMs: planMs + fetchMs, lengthMs: replayMs },
    { name: "checks", className: "bar checks", fromMs: restoreMs ?? 0, lengthMs: checksMs },
  ];
  return all.flatMap(({ lengthMs, ...bar }) => (lengthMs === undefined ? [] : [{ ...bar, lengthMs }]));
}

function percent(part: number, whole: number): number {
  return Math.round((part / whole) * 10_000) / 100;
}
