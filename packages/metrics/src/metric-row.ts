import type { AlertName } from "./alert-table.ts";

/** The metrics of one program, by name. The order is that of the file and of the documentation. */
export type MetricTable = Readonly<Record<string, MetricRow>>;

export type MetricRow = ValueRow | HistogramRow;

interface CommonRow {
  /** Of the value; the name says it too. Without one the value is a number of things, or 0 and 1. */
  readonly unit?: "seconds" | "bytes";
  /** One sentence, for the file and for the documentation. */
  readonly help: string;
  /** The alert that looks at it. */
  readonly alert?: AlertName;
}

/** A counter only rises, and its name ends with `_total`; a gauge goes up and down. */
export interface ValueRow extends CommonRow {
  readonly type: "gauge" | "counter";
  /** Every series of the metric has exactly these labels; with the values that they take. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface HistogramRow extends CommonRow {
  readonly type: "histogram";
  readonly labels?: never;
  /** Upper bounds of the buckets in the metric's unit, rising; the one without a bound is not named. */
  readonly bounds: readonly number[];
}
