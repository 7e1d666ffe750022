import fc from "fast-check";
import { expect, test } from "vitest";
import { parseExposition, parseSeries } from "@soar-tooling/test-bench";
import { formatExposition, formatSeries, seriesOf, type TableSample } from "./format-exposition.ts";
import type { MetricRow, MetricTable } from "./metric-row.ts";
import { histogram, sample } from "./sample.ts";

test("metrics come in the order of the table, each in one piece below its head", () => {
  expect(
    formatExposition("soar-wal-archive", [
      sample("backup_requests_total", 3, { outcome: "ok", kind: "put" }),
      sample("backup_wal_queue_depth", 0),
      sample("backup_requests_total", 1, { kind: "list", outcome: "failed" }),
    ]),
  ).toBe(
    `# HELP backup_wal_queue_depth Finished WAL files that are not in the bucket.
# TYPE backup_wal_queue_depth gauge
backup_wal_queue_depth 0
# HELP backup_requests_total Requests to the storage provider, repeated ones included.
# TYPE backup_requests_total counter
backup_requests_total{kind="put",outcome="ok"} 3
backup_requests_total{kind="list",outcome="failed"} 1
`,
  );
});

test("what is not known is left out, with its head", () => {
  expect(
    formatExposition("soar-wal-archive", [
      sample("backup_wal_age_seconds", undefined),
      sample("backup_pg_wal_bytes", NaN),
      histogram("backup_base_duration_seconds", undefined),
    ]),
  ).toBe("");
});

test("a histogram has a bucket per bound of its row, the one without a bound, sum and count", () => {
  const buckets = [0, 1, 1, 1, 1, 2, 2, 2, 2];
  expect(
    formatExposition("soar-wal-archive", [
      histogram("backup_base_duration_seconds", { count: 3, sum: 100.5, buckets }),
    ]),
  ).toMatch(
    /^# HELP .*\n# TYPE backup_base_duration_seconds histogram\nbackup_base_duration_seconds_bucket\{le="60"\} 0\nbackup_base_duration_seconds_bucket\{le="300"\} 1\n(?:.*\n){7}backup_base_duration_seconds_bucket\{le="\+Inf"\} 3\nbackup_base_duration_seconds_sum 100.5\nbackup_base_duration_seconds_count 3\n$/,
  );
});

const TABLE: MetricTable = {
  level: { type: "gauge", help: 'A level: "high" or \\low\n.' },
  findings: { type: "gauge", labels: { level: "any", place: "any" }, help: "F." },
  things_total: { type: "counter", labels: { kind: "any" }, help: "T." },
  duration_seconds: { type: "histogram", unit: "seconds", bounds: [0.5, 1, 1e21], help: "D." },
};

// Any text, with more than chance has of what means something in this format.
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom('"', "\\", "\n", "\r", "n", "{", "}", ",", "=", " "),
    fc.string({ unit: "binary", maxLength: 1 }),
  ),
});
const number = fc.double({ noNaN: true });
const count = fc.double({ noNaN: true, min: 0 });
const samples: fc.Arbitrary<TableSample[]> = fc.array(
  fc.oneof(
    number.map((value) => ({ name: "level", labels: {}, value })),
    fc.record({ name: fc.constant("findings"), labels: fc.record({ place: text, level: text }), value: number }),
    fc.record({ name: fc.constant("things_total"), labels: fc.record({ kind: text }), value: count }),
    fc.record({
      name: fc.constant("duration_seconds"),
      labels: fc.constant({}),
      value: fc.array(fc.nat(1000), { minLength: 4, maxLength: 4 }).map((numbers) => {
        const [first = 0, second = 0, third = 0, all = 0] = numbers.sort((a, b) => a - b);
        return { count: all, sum: all / 3, buckets: [first, second, third] };
      }),
    }),
  ),
);

test("a strict parser reads back what was written, whatever stands in labels and help", () => {
  fc.assert(
    fc.property(samples, (given) => {
      const families = parseExposition(formatSeries(TABLE, seriesOf(TABLE, given)));
      for (const [name, { type, help }] of families) expect({ type, help }).toEqual(headOf(name));
      expect(sorted([...families.values()].flatMap((family) => [...family.samples].map(readLine)))).toEqual(
        sorted(given.flatMap(linesOf)),
      );
    }),
  );
});

interface Line {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

function headOf(name: string): Partial<MetricRow> {
  const { type, help } = TABLE[name] ?? {};
  return { ...(type && { type }), ...(help && { help }) };
}

const readLine = ([series, value]: [string, number]): Line => ({ ...parseSeries(series), value });

/** What stands in the file for a sample, said once more. */
function linesOf({ name, labels, value }: TableSample): Line[] {
  if (typeof value !== "object") return [{ name, labels, value: value ?? NaN }];
  const [half = NaN, one = NaN, large = NaN] = value.buckets;
  return [
    ...Object.entries({ "0.5": half, "1": one, "1e+21": large, "+Inf": value.count }).map(([le, below]) => ({
      name: `${name}_bucket`,
      labels: { ...labels, le },
      value: below,
    })),
    { name: `${name}_sum`, labels, value: value.sum },
    { name: `${name}_count`, labels, value: value.count },
  ];
}

/** By series; of two values of one, the later one. */
function sorted(lines: readonly Line[]): [string, number][] {
  const bySeries = lines.map(({ name, labels, value }): [string, number] => [
    JSON.stringify([
      name,
      Object.entries(labels)
        .map((pair) => pair.join("="))
        .sort(),
    ]),
    value === 0 ? 0 : value,
  ]);
  return [...new Map(bySeries)].sort(([a], [b]) => (a < b ? -1 : 1));
}
