import type { DrillResult } from "./drill-report.ts";

/** A drill in which everything went wrong that can go wrong behind the restore. */
export const SAMPLE_RESULT: DrillResult = {
  version: 1,
  kind: "soar-drill-report",
  outcome: "failed",
  reason: "devices: expected 42, found 100",
  tool: "soar-backup-verify 1.0.0",
  host: "db1",
  startedAt: "2026-11-25T22:44:01.000Z",
  endedAt: "2026-11-25T23:51:22.000Z",
  repository: { location: "s3://soar-backup-prod/cluster1", systemIdentifier: "7551234567890123456" },
  target: { at: "random", seed: 7, instant: "2026-11-20 10:00:00+00", description: "time 2026-11-20 10:00:00+00, at random with seed 7" },
  scope: { kind: "cluster" },
  tested: { label: "2026-11-15", kind: "full", endedAt: "2026-11-15T03:10:00.000Z", ageSeconds: 934_441, databaseBytes: 451e9, storedBytes: 170e9, timeline: 1, walFirst: "000000010000000000000003", walLast: "0000000100000000000000A5", walSegments: 163 },
  reached: { plannedLsn: "0/A5000148", lsn: "0/A5000148", timeline: 2, newestCommit: "2026-11-20 09:59:59.123+00" },
  timings: { planMs: 2100, downloadMs: 1_400_000, extractMs: 1_520_000, replayMs: 600_000, restoreMs: 2_130_000, checksMs: 1_700_000, totalMs: 4_041_000 },
  transferred: { backupBytes: 170e9, walBytes: 2.6e9 },
  checks: [
    { kind: "query", name: "devices", outcome: "failed", detail: "expected 42, found 100", durationMs: 12, query: { sql: "SELECT '<script>'", database: "soar", expected: "42", found: "100" } },
    { kind: "command", name: "own command", outcome: "passed", detail: "it succeeded", durationMs: 430_000, output: "<b>14 passed</b>" },
  ],
  integrity: "pass",
  queries: { passed: 1, failed: 1 },
  issues: ["devices: expected 42, found 100"],
  rto: { seconds: 2130, of: "cluster" },
  rpo: { seconds: 1.2, basis: "the newest commit in the bucket was of 2026-11-25 22:43:59.8+00" },
  window: {
    gaps: [],
    timelines: [
      {
        timeline: 1,
        parent: undefined,
        unusable: [],
        ranges: [
          { from: "2026-10-25T22:44:01Z", to: "2026-11-10T22:44:01Z", fromLsn: "0/1", toLsn: "0/2", backups: ["2026-10-25"], hole: { from: "A", to: "B", count: 3, declared: undefined } },
          { from: "2026-11-15T03:10:00Z", to: "2026-11-25T22:43:59Z", fromLsn: "0/3", toLsn: "0/B", backups: ["2026-11-15"], hole: undefined },
        ],
      },
    ],
  },
};
