import fc from "fast-check";
import { expect, test } from "vitest";
import { formatExposition, formatSeries, seriesOf, type TableSample } from "./format-exposition.ts";
import type { MetricTable } from "./metric-row.ts";
import { replaceSeries, replaceSeriesOf } from "./replace-series.ts";
import { sample } from "./sample.ts";

test("what is not known now keeps its value, what is known gets the new one", () => {
  const before = formatExposition("soar-base-backup", [
    sample("backup_base_last_success_timestamp_seconds", 1736042400),
    sample("backup_base_damaged_files", 2),
    sample("backup_base_last_run_failed", 0),
  ]);
  expect(
    replaceSeries("soar-base-backup", before, [
      sample("backup_base_damaged_files", undefined),
      sample("backup_base_last_run_failed", 1),
    ]),
  ).toBe(before.replace("run_failed 0", "run_failed 1"));
});

test("series of one metric are kept by their labels", () => {
  const before = formatExposition("soar-backup-verify", [
    sample("backup_verify_last_run_failed", 1, { level: "full" }),
    sample("backup_verify_last_run_failed", 1, { level: "quick" }),
  ]);
  expect(
    replaceSeries("soar-backup-verify", before, [sample("backup_verify_last_run_failed", 0, { level: "quick" })]),
  ).toMatch(/\{level="full"\} 1\nbackup_verify_last_run_failed\{level="quick"\} 0\n$/);
});

test.each([
  ["another command's", "backup_wal_queue_depth 3\n"],
  ["a name without a row", "backup_base_age_minutes 3\ntoString 3\n"],
  ["labels that the row does not have", 'backup_base_stored_bytes{level="quick"} 3\n'],
  ["a value that is none", "backup_base_stored_bytes many\n"],
  ["no line of this format", '\0\nbackup_base_stored_bytes\nbackup_base_stored_bytes{"} 1\n{} 3'],
])("%s is not kept", (_, before) => {
  expect(replaceSeries("soar-base-backup", before, [])).toBe("");
});

test("labels that the row has and the file has not, or in another order, are not kept", () => {
  const before =
    'backup_verify_findings{level="quick"} 1\nbackup_verify_findings{severity="error",level="quick"} 1\nbackup_verify_findings 1\n';
  expect(replaceSeries("soar-backup-verify", before, [])).toBe("");
});

test("a histogram is not kept: its parts belong to one moment", () => {
  const before = 'backup_base_duration_seconds_bucket{le="+Inf"} 1\nbackup_base_duration_seconds 1\n';
  expect(replaceSeries("soar-wal-archive", before, [])).toBe("");
});

const TABLE: MetricTable = {
  level: { type: "gauge", help: "L." },
  findings: { type: "gauge", labels: { level: "any", place: "any" }, help: "F." },
};
// Any text, with more than chance has of what means something in this format.
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom('"', "\\", "\n", "\r", "n", "{", "}", ",", "=", " "),
    fc.string({ unit: "binary", maxLength: 1 }),
  ),
});
const value = fc.double({ noNaN: true });
const samples: fc.Arbitrary<TableSample[]> = fc.array(
  fc.oneof(
    fc.record({ name: fc.constant("level"), labels: fc.constant({}), value }),
    fc.record({ name: fc.constant("findings"), labels: fc.record({ level: text, place: text }), value }),
  ),
);

test("a file and what is known later give what both at once would have given", () => {
  fc.assert(
    fc.property(samples, samples, (first, second) => {
      const before = formatSeries(TABLE, seriesOf(TABLE, first));
      expect(replaceSeriesOf(TABLE, before, second)).toBe(formatSeries(TABLE, seriesOf(TABLE, [...first, ...second])));
    }),
  );
});
