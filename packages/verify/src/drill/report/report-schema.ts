import { gapSchema } from "@soar/repository/markers";
import * as v from "valibot";
import type { DrillReport } from "./drill-report.ts";

/** JSON leaves out what is undefined. */
const absent = (): undefined => undefined;
const text = v.string();
const number = v.number();
const optionalText = v.optional(text);
const optionalNumber = v.optional(number);

const range = v.object({
  from: text,
  to: v.optional(text, absent),
  fromLsn: text,
  toLsn: text,
  backups: v.array(text),
  hole: v.optional(
    v.object({
      from: text,
      to: text,
      count: number,
      declared: v.optional(v.object({ by: text, at: text, reason: text }), absent),
      expired: v.boolean(),
    }),
    absent,
  ),
});

const window = v.object({
  timelines: v.array(
    v.object({
      timeline: number,
      parent: v.optional(v.object({ timeline: number, switchLsn: text }), absent),
      ranges: v.array(range),
      unusable: v.array(text),
    }),
  ),
  gaps: v.array(gapSchema),
  unreadable: v.array(v.object({ timeline: number, reason: text })),
});

const tested = v.object({
  label: text,
  kind: v.picklist(["full", "incremental"]),
  endedAt: text,
  ageSeconds: number,
  databaseBytes: number,
  storedBytes: number,
  timeline: number,
  walFirst: text,
  walLast: text,
  walSegments: number,
});

const reached = v.object({
  plannedLsn: text,
  lsn: v.optional(text, absent),
  timeline: number,
  consistentLsn: optionalText,
  newestCommit: optionalText,
  firstLeftOut: optionalText,
});

const check = v.object({
  kind: v.picklist([
    "fence",
    "consistent-start",
    "newest-commit",
    "amcheck",
    "page-checksums",
    "schema-dump",
    "collations",
    "query",
    "command",
  ]),
  name: text,
  outcome: v.picklist(["passed", "failed", "warning", "skipped"]),
  detail: text,
  durationMs: number,
  query: v.optional(v.object({ sql: text, database: text, expected: text, found: text })),
  output: optionalText,
});

/** What tells a report from any other JSON, of whatever version. */
export const reportHeadSchema = v.looseObject({ kind: v.literal("soar-drill-report"), version: number, digest: text });

/** A report of version 1. What a later program of that version adds is left out; the digest covers it. */
export const reportSchema: v.GenericSchema<unknown, DrillReport> = v.object({
  version: v.literal(1),
  kind: v.literal("soar-drill-report"),
  digest: text,
  outcome: v.picklist(["passed", "failed"]),
  reason: optionalText,
  tool: text,
  host: text,
  startedAt: text,
  endedAt: text,
  repository: v.object({ location: text, systemIdentifier: text }),
  target: v.object({
    at: v.picklist(["latest", "random", "time"]),
    description: text,
    instant: optionalText,
    seed: optionalNumber,
  }),
  scope: v.object({ kind: v.picklist(["cluster", "database"]), database: optionalText }),
  tested: v.optional(tested),
  reached: v.optional(reached),
  timings: v.object({
    planMs: optionalNumber,
    downloadMs: optionalNumber,
    extractMs: optionalNumber,
    replayMs: optionalNumber,
    restoreMs: optionalNumber,
    checksMs: optionalNumber,
    totalMs: number,
  }),
  transferred: v.object({ backupBytes: number, walBytes: number }),
  checks: v.array(check),
  integrity: v.picklist(["pass", "fail", "unread"]),
  queries: v.object({ passed: number, failed: number }),
  issues: v.array(text),
  rto: v.optional(v.object({ seconds: number, of: v.picklist(["cluster", "database"]) })),
  rpo: v.optional(v.object({ seconds: number, basis: text })),
  window: v.optional(window),
});
