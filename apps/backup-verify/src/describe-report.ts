import { formatDuration, formatSize } from "@soar/app-kit";
import { readingCost, STORAGE_PRICES } from "@soar/repository/cost";
import type { RecoveryWindow, RestorableRange } from "@soar/repository/window";
import type { Finding, VerifyReport } from "@soar/verify";

/** A finished verification, as it is printed. */
export interface FinishedReport extends VerifyReport {
  readonly durationMs: number;
}

/** What reading so much costs, by provider, in US dollars. */
export function egressCosts({
  readBytes,
  storedBytes,
}: Pick<VerifyReport, "readBytes" | "storedBytes">): { provider: string; dollars: number }[] {
  return STORAGE_PRICES.map((prices) => ({
    provider: prices.provider,
    dollars: readingCost(readBytes, { storedBytes }, prices),
  }));
}

export function summarize({ backups, wal, readBytes, plainBytes, durationMs }: FinishedReport): string {
  return `${backups.length} backups and ${wal.segments} WAL segments, ${formatSize(readBytes)} read (${formatSize(plainBytes)} of plain data) in ${formatDuration(durationMs)}`;
}

export function reportText(report: FinishedReport): string {
  const found = report.findings.map(describeFinding);
  const verdict = found.length === 0 ? "nothing was found wrong" : countBySeverity(report.findings);
  return [
    ...found,
    ...backupLines(report),
    ...windowLines(report.window),
    costLine(report),
    ...(report.unreadSince === undefined
      ? []
      : [`not read in this run: bytes last compared ${report.unreadSince} and later`]),
    `${summarize(report)}: ${verdict}`,
  ].join("\n");
}

function describeFinding({ severity, where, what, kind, advice }: Finding): string {
  return `${severity}: ${where}: ${what} (${kind})\n  ${advice}`;
}

export function countBySeverity(findings: readonly Finding[]): string {
  const counts = (["error", "warning", "notice"] as const).map(
    (severity) => [severity, findings.filter((finding) => finding.severity === severity).length] as const,
  );
  return counts
    .filter(([, count]) => count > 0)
    .map(([severity, count]) => `${count} ${severity}${count === 1 ? "" : "s"}`)
    .join(", ");
}

function serverLine({ server }: VerifyReport): string {
  if (server === undefined || "unusable" in server)
    return `the end of the archive was not compared with the server: ${server?.unusable ?? "it was not asked"}`;
  return server.lastArchived === undefined
    ? "the server has archived nothing that it remembers"
    : `the server says that ${server.lastArchived} was archived last`;
}

function backupLines(report: VerifyReport): string[] {
  const { backups, wal } = report;
  const how = {
    full: "every byte, and what it holds",
    stored: "every byte as it is stored",
    part: "records, and what is there of the bytes",
    sample: "records, and a sample of the bytes",
    quick: "records and sizes",
  };
  return [
    ...backups.map(({ label, kind, read }) => `backup ${label} (${kind}): ${how[read]}`),
    `WAL: ${wal.segments} segments, ${wal.read} of them read`,
    serverLine(report),
  ];
}

function windowLines(window: RecoveryWindow | undefined): string[] {
  if (window === undefined) return [];
  return [
    ...window.timelines.flatMap(({ timeline, ranges, unusable }) => [
      ...ranges.flatMap((range) => rangeLines(timeline, range)),
      ...unusable.map((label) => `timeline ${timeline}: backup ${label} lacks WAL and cannot be restored`),
    ]),
    ...window.unreadable.map(({ timeline, reason }) => `timeline ${timeline} cannot be told: ${reason}`),
  ];
}

function rangeLines(timeline: number, { from, to, toLsn, backups, hole }: RestorableRange): string[] {
  const range = `timeline ${timeline}: every instant from ${from} to ${to ?? "the end of its first backup"} (LSN ${toLsn}) can be restored, with ${backups.join(", ")}`;
  if (hole === undefined) return [range];
  if (hole.expired) return [range, `timeline ${timeline}: expiry removed the WAL from ${hole.from} to ${hole.to}`];
  const declared = hole.declared === undefined ? "" : `, given up by ${hole.declared.by} (${hole.declared.reason})`;
  return [range, `timeline ${timeline}: hole of ${hole.count} segments from ${hole.from} to ${hole.to}${declared}`];
}

function costLine(report: VerifyReport): string {
  const costs = egressCosts(report).map(({ provider, dollars }) => `${provider} $${dollars.toFixed(2)}`);
  return `${formatSize(report.readBytes)} read; as the only reading of a month that costs about: ${costs.join(", ")}`;
}
