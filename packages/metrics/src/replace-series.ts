import { formatSeries, seriesOf, type SeriesByMetric, type TableSample } from "./format-exposition.ts";
import type { MetricTable } from "./metric-row.ts";
import { METRICS, type Writer } from "./metric-table.ts";
import type { SampleOf } from "./sample.ts";

/**
 * The text that a command wrote before, with what it has measured now in its place. Series of which nothing is known
 * now keep their value: a run that failed must not take away what was known of the last one that did not, because
 * its age is what alarms. Lines that no row of the command's table has are dropped, and so are histograms, whose parts
 * belong to one moment.
 */
export function replaceSeries<W extends Writer>(
  writer: W,
  before: string,
  samples: readonly SampleOf<NoInfer<W>>[],
): string {
  return replaceSeriesOf(METRICS[writer], before, samples);
}

/** The same for any table. */
export function replaceSeriesOf(table: MetricTable, before: string, samples: readonly TableSample[]): string {
  const series = readKeptSeries(table, before);
  for (const [name, ofMetric] of seriesOf(table, samples))
    series.set(name, new Map([...(series.get(name) ?? []), ...ofMetric]));
  return formatSeries(table, series);
}

/** A series of a gauge or a counter as `formatSeries` writes it, which is how it is found again. */
const LINE = /^([a-z][a-z0-9_]*)(?:\{(.+)\})? ([^ ]+)$/s;
const LABEL = /([a-z][a-z0-9_]*)="(?:[^"\\]|\\.)*"(?:,|$)/gsy;

function readKeptSeries(table: MetricTable, text: string): SeriesByMetric {
  const series: SeriesByMetric = new Map();
  for (const line of text.split("\n")) {
    const [, name = "", labels = "", value = ""] = LINE.exec(line) ?? [];
    const row = Object.hasOwn(table, name) ? table[name] : undefined;
    const number = Number(value.replace("Inf", "Infinity"));
    if (row === undefined || row.type === "histogram" || Number.isNaN(number)) continue;
    if (labelNames(labels)?.join() !== Object.keys(row.labels ?? {}).join()) continue;
    const key = line.slice(0, -value.length - 1);
    series.set(name, (series.get(name) ?? new Map<string, number>()).set(key, number));
  }
  return series;
}

/** Undefined when the text is no list of labels. */
function labelNames(labels: string): string[] | undefined {
  const found = [...labels.matchAll(LABEL)];
  return found.map(([text]) => text).join("") === labels ? found.map(([, name = ""]) => name) : undefined;
}
