import { expect, test } from "vitest";
import type { PerformanceDocument } from "../performance/document.ts";
import { formatPlotsPage } from "./plots-page.ts";

const timing = { gigabytes: 1, amount: 1e9, fastest: 1, slowest: 3 };
const measured: PerformanceDocument = {
  format: 1,
  measured: {
    at: "2025-01-05T00:00:00.000Z",
    commit: "<abc>",
    machine: "m",
    cores: 2,
    memory: 1,
    node: "v24",
    postgres: "15",
    loadBefore: 0,
    loadAfter: 0,
    runs: 1,
    jobs: 2,
  },
  tools: { soar: "1", pgbackrest: "2.60" },
  rows: [
    { work: "restore", tool: "soar", ...timing, seconds: 2, peak: 123e6 },
    { work: "restore", tool: "pgbackrest", ...timing, seconds: 4 },
    { work: "restore", tool: "soar", ...timing, gigabytes: 3, seconds: 6 },
  ],
  limits: [{ limit: "hash", ...timing, seconds: 1 }],
  backups: [],
  restores: [],
};

test("the page is whole without a network and shows every figure that there is", () => {
  const page = formatPlotsPage(measured);
  expect(page).not.toMatch(/<script|<link|src=|@import|url\(|<abc>/);
  for (const shown of ["500", "250", "123", "50", "pgBackRest", "SHA-256 alone"]) expect(page).toContain(`>${shown}<`);
  expect(page).toMatch(/Seconds by size/);
});

test("what was not measured has no chart", () => {
  const page = formatPlotsPage({ ...measured, rows: [], limits: [] });
  expect(page).not.toContain("<svg");
  expect(page).not.toContain("<h2>");
});
