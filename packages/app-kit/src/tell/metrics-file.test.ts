import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { formatMetrics, writeMetricsFile } from "./metrics-file.ts";

test("gauges in the text format, labels escaped", () => {
  expect(
    formatMetrics([
      { name: "a_seconds", help: "How long.", value: 1.5 },
      { name: "b", help: "B.", value: 1, labels: { label: 'a"b\\c\nd' } },
    ]),
  ).toBe(
    '# HELP a_seconds How long.\n# TYPE a_seconds gauge\na_seconds 1.5\n# HELP b B.\n# TYPE b gauge\nb{label="a\\"b\\\\c\\nd"} 1\n',
  );
});

test("values of one name stand under one head", () => {
  const findings = ["error", "warning"].map((severity, value) => ({
    name: "findings",
    help: "F.",
    value,
    labels: { severity },
  }));
  expect(formatMetrics(findings)).toBe(
    '# HELP findings F.\n# TYPE findings gauge\nfindings{severity="error"} 0\nfindings{severity="warning"} 1\n',
  );
});

test("everybody may read the file, whatever the umask of the service", () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-metrics-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const before = process.umask(0o077);
  onTestFinished(() => void process.umask(before));
  writeMetricsFile(join(directory, "x.prom"), [{ name: "a", help: "A.", value: 1 }]);
  expect(statSync(join(directory, "x.prom")).mode & 0o777).toBe(0o644);
});

test("the file is replaced whole, and a directory that is not there is named", () => {
  const directory = mkdtempSync(join(tmpdir(), "soar-metrics-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "x.prom");
  for (const value of [1, 2]) writeMetricsFile(file, [{ name: "a", help: "A.", value }]);
  expect(readFileSync(file, "utf8")).toContain("a 2\n");
  expect(readdirSync(directory)).toEqual(["x.prom"]);
  expect(() => writeMetricsFile(join(directory, "none", "x.prom"), [])).toThrow("unable to write the metrics");
});
