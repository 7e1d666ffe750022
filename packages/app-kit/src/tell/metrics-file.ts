import { chmodSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { SoarError } from "@soar/errors";

export interface Metric {
  /** For example `soar_base_backup_duration_seconds`. */
  readonly name: string;
  readonly help: string;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/**
 * Replaces a file of gauges for the textfile collector of node_exporter. It appears whole under its name, because the
 * collector may read at any moment. Throws `FILE_UNWRITABLE`.
 */
export function writeMetricsFile(path: string, metrics: readonly Metric[]): void {
  // The collector reads *.prom only, so that it never sees this one.
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, formatMetrics(metrics));
    // The collector is another user; services run with a umask that would keep it out.
    chmodSync(temporary, 0o644);
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    const fact = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new SoarError("FILE_UNWRITABLE", `unable to write the metrics '${path}': ${fact}`, {
      cause,
      hint: "Make the directory writable for this user, or set BACKUP_METRICS_FILE to another one.",
    });
  }
}

/** The text format of Prometheus, version 0.0.4. Values of one name stand together, under one head. */
export function formatMetrics(metrics: readonly Metric[]): string {
  const heads = metrics.map(({ name, help }, at) =>
    metrics[at - 1]?.name === name ? "" : `# HELP ${name} ${help}\n# TYPE ${name} gauge\n`,
  );
  return metrics
    .map(({ name, value, labels = {} }, at) => `${heads[at] ?? ""}${name}${formatLabels(labels)} ${value}\n`)
    .join("");
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${value
        .replaceAll("\\", String.raw`\\`)
        .replaceAll('"', String.raw`\"`)
        .replaceAll("\n", String.raw`\n`)}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
