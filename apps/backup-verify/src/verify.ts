import { defineCommand, formatDuration, formatSize, jobsOptions, openConfiguredStore, storageOptions } from "@soar/app-kit";
import { SoarError } from "@soar/errors";
import { verifyRepository, type Finding, type VerifyReport } from "@soar/verify";

export const verify = defineCommand({
  name: "verify",
  isDefault: true,
  summary: "Read every object of the backups and of their WAL, and compare it with what was recorded.",
  description:
    "Without labels all backups are verified, with labels only these and the WAL from the oldest of them on. Exit status 0: nothing was found; 5: something was; anything else: it could not look.",
  positionals: { labels: { help: "Labels of backups, for example 2025-01-05.", many: true, optional: true } },
  options: { ...storageOptions, ...jobsOptions },
  examples: [
    { command: "soar-backup-verify", explanation: "everything" },
    { command: "soar-backup-verify 2025-01-05", explanation: "one backup and the WAL from it on" },
  ],
  async run({ config, positionals: { labels }, log, output, signal, startProgress }) {
    const store = await openConfiguredStore(config, { log });
    const progress = startProgress({ label: "verify", unit: "bytes" });
    const startedAt = performance.now();
    try {
      const report = await verifyRepository(store, { labels, jobs: config.jobs, signal, onProgress: (bytes) => progress.update(bytes) });
      progress.finish();
      const ms = Math.round(performance.now() - startedAt);
      output.report({ json: { version: 1, ...report, durationMs: ms }, text: () => reportText(report, ms) });
      if (report.findings.length === 0) return log.info(`verification passed: ${summarize(report, ms)}`);
      throw failed(report.findings);
    } finally {
      progress.finish();
      await store.close();
    }
  },
});

function summarize({ backups, segments, bytes }: VerifyReport, ms: number): string {
  return `${backups.length} backups and ${segments} WAL segments, ${formatSize(bytes)} read in ${formatDuration(ms)}`;
}

function reportText(report: VerifyReport, ms: number): string {
  const findings = report.findings.map(({ severity, kind, where, what, advice }) => `${severity}: ${where}: ${what} (${kind})\n  ${advice}`);
  return [...findings, `${summarize(report, ms)}: ${findings.length === 0 ? "nothing was found wrong" : `${findings.length} findings`}`].join("\n");
}

function failed(findings: readonly Finding[]): SoarError {
  const [worst] = [...findings].sort((a, b) => (a.severity === b.severity ? 0 : a.severity === "error" ? -1 : 1));
  return new SoarError("FINDINGS", `verification failed: ${findings.length} findings, first '${worst?.where}': ${worst?.what}`, { hint: worst?.advice });
}
