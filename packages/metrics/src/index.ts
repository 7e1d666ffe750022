// The tables.
export { ALERTS, type Alert, type AlertName } from "./alert-table.ts";
export { METRICS, METRICS_FILE_VARIABLES, type MetricName, type Writer } from "./metric-table.ts";
export type { MetricRow, MetricTable } from "./metric-row.ts";

// Measure and tell.
export { histogram, sample, type Histogram, type Sample, type SampleOf } from "./sample.ts";
export { EXPOSITION_CONTENT_TYPE, formatExposition } from "./format-exposition.ts";
export { replaceSeries } from "./replace-series.ts";
export { updateMetricsFile, writeMetricsFile } from "./metrics-file.ts";
