import { describe, expect, test } from "vitest";
import { ALERTS } from "./alert-table.ts";
import type { MetricRow } from "./metric-row.ts";
import { METRICS } from "./metric-table.ts";

const rows: [string, MetricRow][] = Object.values(METRICS).flatMap((table) => Object.entries(table));

test("no name is taken twice: one directory of the collector may hold all files", () => {
  expect(rows.map(([name]) => name)).toEqual([...new Set(rows.map(([name]) => name))]);
});

describe.each(rows)("%s", (name, row) => {
  test("is named as Prometheus asks: unit behind, counters end with _total", () => {
    expect(name).toMatch(/^backup_[a-z]+(?:_[a-z]+)*$/);
    expect(name.endsWith("_total")).toBe(row.type === "counter");
    const unit = /_(seconds|bytes)(?:_total)?$/.exec(name)?.[1];
    expect(row.unit).toBe(unit);
  });

  test("has one sentence of help, and labels that are none of Prometheus' own", () => {
    expect(row.help).toMatch(/^[A-Z0-9][^\n]*[^.]\.$/);
    for (const label of Object.keys(row.labels ?? {})) expect(label).toMatch(/^(?!le$|job$|instance$)[a-z]+$/);
  });

  test("has bounds that rise, if it is a histogram", () => {
    const bounds = row.type === "histogram" ? row.bounds : [];
    expect([...bounds].sort((a, b) => a - b)).toEqual(bounds);
    expect(bounds.length > 0).toBe(row.type === "histogram");
  });
});

test("every alert has a metric and a condition", () => {
  const used = new Set(rows.flatMap(([, { alert }]) => alert ?? []));
  expect([...used].sort()).toEqual(Object.keys(ALERTS).sort());
  for (const conditions of Object.values(ALERTS).map((alert) => Object.values(alert))) {
    expect(conditions.length).toBeGreaterThan(0);
    for (const condition of conditions) expect(condition).toMatch(/^[A-Z].*\.$/);
  }
});
