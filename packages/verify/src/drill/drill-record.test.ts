import { expect, test } from "vitest";
import { integrityOf } from "./drill-record.ts";
import type { DrillCheck } from "./report/drill-report.ts";

type Checks = Parameters<typeof integrityOf>[0];
const checks = (outcomes: Partial<Record<DrillCheck["kind"], DrillCheck["outcome"]>>): Checks =>
  Object.entries(outcomes).map(([kind, outcome]) => ({ kind: kind as DrillCheck["kind"], outcome }));

test.each([
  ["pass", { fence: "passed", amcheck: "passed", "page-checksums": "skipped" }, undefined],
  ["pass", { amcheck: "skipped", "page-checksums": "passed", query: "failed" }, undefined],
  [
    "unread",
    { fence: "passed", amcheck: "skipped", "page-checksums": "skipped", query: "passed", command: "passed" },
    undefined,
  ],
  ["fail", { fence: "failed", amcheck: "passed" }, undefined],
  ["fail", { amcheck: "passed", "page-checksums": "failed" }, undefined],
  ["fail", {}, "WAL is missing"],
] as const)("data integrity is %s with %j and failure %s", (integrity, outcomes, failure) => {
  expect(integrityOf(checks(outcomes), failure)).toBe(integrity);
});
