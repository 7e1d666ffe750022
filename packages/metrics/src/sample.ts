import type { MetricName, MetricNameOf, RowOf, Writer } from "./metric-table.ts";

/** A value of a metric. `sample` and `histogram` make it. */
export interface Sample<N extends MetricName = MetricName> {
  readonly name: N;
  readonly labels: Labels;
  /** Undefined: not known. The series is left out then: a missing value alarms, a wrong one does not. */
  readonly value: number | Histogram | undefined;
}

/** A sample of a metric that this command writes. */
export type SampleOf<W extends Writer> = Sample<MetricNameOf<W>>;

export type Labels = Readonly<Record<string, string>>;

export interface Histogram {
  readonly count: number;
  /** In the metric's unit. */
  readonly sum: number;
  /** Per bound of the row, how many were no greater. */
  readonly buckets: readonly number[];
}

type HistogramName = { [N in MetricName]: RowOf<N> extends { type: "histogram" } ? N : never }[MetricName];

/** Labels are asked for where the row has some, and nowhere else. */
type LabelArguments<N extends MetricName> =
  RowOf<N> extends { labels: infer L } ? [Readonly<Record<keyof L & string, string>>] : [];

/** A gauge or a counter, with the labels of its row. NaN is as unknown as undefined. */
export function sample<N extends Exclude<MetricName, HistogramName>>(
  name: N,
  value: number | undefined,
  ...[labels]: LabelArguments<N>
): Sample<N> {
  return { name, labels: labels ?? {}, value };
}

/** All parts of a histogram. */
export function histogram<N extends HistogramName>(name: N, value: Histogram | undefined): Sample<N> {
  return { name, labels: {}, value };
}
