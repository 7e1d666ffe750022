import type { MetricRow, MetricTable } from "./metric-row.ts";
import { METRICS, type Writer } from "./metric-table.ts";
import type { Labels, Sample, SampleOf } from "./sample.ts";

/** The content type of what `formatExposition` gives. */
export const EXPOSITION_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Values by metric, and below that by series: `backup_requests_total{kind="put",outcome="ok"}`. */
export type SeriesByMetric = Map<string, Map<string, number>>;

/** A sample of any table. */
export interface TableSample extends Pick<Sample, "labels" | "value"> {
  readonly name: string;
}

/**
 * What a command measured, in the text format of Prometheus, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/): metrics in the order of the table, each in one piece
 * below its head. Of two values of one series the later one counts; a metric of which nothing is known is left out.
 */
export function formatExposition<W extends Writer>(writer: W, samples: readonly SampleOf<NoInfer<W>>[]): string {
  return formatSeries(METRICS[writer], seriesOf(METRICS[writer], samples));
}

/** Everything that is known, as it stands in the text. */
export function seriesOf(table: MetricTable, samples: readonly TableSample[]): SeriesByMetric {
  const series: SeriesByMetric = new Map();
  for (const sample of samples) {
    const row = table[sample.name];
    const parts = row === undefined ? [] : partsOf(row, sample);
    if (parts.length > 0) series.set(sample.name, new Map([...(series.get(sample.name) ?? []), ...parts]));
  }
  return series;
}

export function formatSeries(table: MetricTable, series: SeriesByMetric): string {
  return Object.entries(table)
    .map(([name, { type, help }]) => {
      const lines = [...(series.get(name) ?? [])].map(([key, value]) => `${key} ${formatNumber(value)}\n`);
      return lines.length === 0 ? "" : `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`;
    })
    .join("");
}

/** One line of a gauge or a counter, all of a histogram. */
function partsOf(row: MetricRow, { name, labels, value }: TableSample): [key: string, value: number][] {
  if (value === undefined || Number.isNaN(value)) return [];
  if (typeof value === "number") return [[`${name}${formatLabels(Object.keys(row.labels ?? {}), labels)}`, value]];
  const bounds = row.type === "histogram" ? row.bounds : [];
  return [
    ...bounds.map((bound, at): [string, number] => [`${name}_bucket{le="${bound}"}`, value.buckets[at] ?? 0]),
    [`${name}_bucket{le="+Inf"}`, value.count],
    [`${name}_sum`, value.sum],
    [`${name}_count`, value.count],
  ];
}

/** In the order of the row, so that a series has one text. */
function formatLabels(names: readonly string[], labels: Labels): string {
  const pairs = names.map((name) => `${name}="${escapeText(labels[name] ?? "").replaceAll('"', String.raw`\"`)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeText(text: string): string {
  return text.replaceAll("\\", String.raw`\\`).replaceAll("\n", String.raw`\n`);
}

function formatNumber(value: number): string {
  return Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
}
