import type { Alert, MetricRow, MetricTable } from "@soar/metrics";
import { formatMarkdownTable, GENERATED } from "./markdown.ts";

/** What docs/metrics.md is printed from. */
export interface MetricsTables {
  /** By the command that writes them. */
  readonly metrics: Readonly<Record<string, MetricTable>>;
  /** By command, the setting that names its file. */
  readonly fileVariables: Readonly<Record<string, string>>;
  readonly alerts: Readonly<Record<string, Alert>>;
}

/**
 * docs/metrics.md: one row per metric below the command that writes it, and the alerts. `variables` are all that the
 * programs read; throws when the setting of a file is none of them.
 */
export function formatMetricsPage(
  { metrics, fileVariables, alerts }: MetricsTables,
  variables: Iterable<string>,
): string {
  const known = new Set(variables);
  const sections = Object.entries(metrics).map(([writer, table]) => {
    const variable = fileVariables[writer] ?? "";
    if (!known.has(variable)) throw new Error(`the metrics file of ${writer} is '${variable}', which no program reads`);
    const rows = Object.entries(table).map(([name, row]) => formatRow(name, row));
    return `## ${writer}\n\nFile: \`${variable}\`\n\n${formatMarkdownTable(["Metric", "Type", "Unit", "Meaning", "Alert"], rows)}\n`;
  });
  return `# Metrics

${GENERATED}

Each command below writes the file that its setting names, for the textfile collector of Prometheus' node_exporter; \`soar-wal-archive daemon\`
also serves its metrics over HTTP. A file is replaced whole, and everybody may read it. What is not known is left out: let the absence of a
metric alarm, too. What a run could not measure keeps the value of the last one that could, so that its age alarms. Names never change.

${sections.join("\n")}
## Alerts

${formatMarkdownTable(["Alert", "Warning", "Critical", "Looks at"], alertRows(alerts, metrics))}
`;
}

function formatRow(name: string, { type, unit, labels = {}, help, alert }: MetricRow): string[] {
  const names = Object.keys(labels);
  const values = Object.entries(labels).map(([label, taken]) => ` \`${label}\`: ${taken}.`);
  return [
    `\`${name}${names.length === 0 ? "" : `{${names.join(",")}}`}\``,
    type,
    unit ?? "",
    help + values.join(""),
    alert === undefined ? "" : `[${alert}](#alerts)`,
  ];
}

function alertRows(alerts: MetricsTables["alerts"], metrics: MetricsTables["metrics"]): string[][] {
  const rows = Object.values(metrics).flatMap((table) => Object.entries(table));
  return Object.entries(alerts).map(([name, { warning = "", critical = "" }]) => {
    const metricsOf = rows.filter(([, { alert }]) => alert === name).map(([metric]) => `\`${metric}\``);
    return [name, warning, critical, metricsOf.join(", ")];
  });
}
