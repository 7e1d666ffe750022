import { expect, test } from "vitest";
import { formatExposition } from "./format-exposition.ts";
import { histogram, sample } from "./sample.ts";

test("a metric without a row does not compile", () => {
  // @ts-expect-error: no row of this name
  const unknown = sample("backup_wal_age_minutes", 1);
  // @ts-expect-error: a histogram has parts, not a value
  const part = sample("backup_base_duration_seconds", 1);
  // @ts-expect-error: a gauge has no parts
  const gauge = histogram("backup_wal_age_seconds", { count: 0, sum: 0, buckets: [] });
  expect([unknown, part, gauge]).toHaveLength(3);
});

test("a label that the row does not have, or has and is not given, does not compile", () => {
  const good = sample("backup_requests_total", 1, { kind: "put", outcome: "ok" });
  // @ts-expect-error: the row has no label
  const excess = sample("backup_wal_age_seconds", 1, { level: "quick" });
  // @ts-expect-error: the row has other labels
  const other = sample("backup_requests_total", 1, { kind: "put", outcome: "ok", level: "quick" });
  // @ts-expect-error: the outcome is missing
  const some = sample("backup_requests_total", 1, { kind: "put" });
  // @ts-expect-error: both are missing
  const none = sample("backup_requests_total", 1);
  expect([good, excess, other, some, none]).toHaveLength(5);
});

test("a command cannot tell what another one writes", () => {
  expect(formatExposition("soar-backup-verify drill", [sample("backup_drill_rto_seconds", 1)])).toContain(" 1\n");
  // @ts-expect-error: the archiver's metric in the file of the drill
  expect(formatExposition("soar-backup-verify drill", [sample("backup_wal_age_seconds", 1)])).toBe("");
});
