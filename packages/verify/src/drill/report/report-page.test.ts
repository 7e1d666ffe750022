import { expect, test } from "vitest";
import { SAMPLE_RESULT } from "../../../test/drill-report.fixture.ts";
import { formatReportPage } from "./report-page.ts";
import { parseSealedReport, sealReport } from "./seal-report.ts";

const report = sealReport(SAMPLE_RESULT);
const page = formatReportPage(report);
const factOf = (name: string): string | undefined => new RegExp(`<dt>${name}</dt><dd>([^<]*)</dd>`).exec(page)?.[1];

test("the page has every field of the two lists of results", () => {
  expect(factOf("Date of test")).toContain("2026-11-25 22:44:01 UTC");
  expect(factOf("Backup tested")).toContain("2026-11-15 (full)");
  expect(factOf("WAL range tested")).toBe(
    "000000010000000000000003 to 0000000100000000000000A5: 163 segments on timeline 1",
  );
  expect(factOf("Restore duration")).toBe("35 min 30 s (0.59 h)");
  expect(factOf("Issues encountered")).toBe("devices: expected 42, found 100");
  expect(factOf("Verification queries")).toBe("1 passed, 1 failed");
  expect(factOf("Backup age")).toBe("10.8 days");
  expect(factOf("Data integrity")).toBe("pass");
  expect(page).toContain("<dd>✓ Pass</dd>");
  expect(factOf("RTO estimate")).toBe("0.59 h (35 min 30 s) for the whole cluster");
  expect(factOf("RPO verified")).toContain("1.2 seconds: the newest commit");
});

test("the picture shows ranges, hole, backup and target where they belong", () => {
  const bars = [...page.matchAll(/<rect class="(range|hole)" x="([\d.]+)%" y="\d+" width="([\d.]+)%"/g)].map(
    ([, kind, x, width]) => [kind, Number(x), Number(width)],
  );
  expect(bars).toEqual([
    ["range", 0, 51.61],
    ["hole", 51.61, 13.5],
    ["range", 65.11, 34.89],
  ]);
  expect(page).toMatch(/<line class="backup" x1="65.11%"/);
  expect(page).toMatch(/<line class="target" x1="82.16%"/);
  expect(page.match(/<rect class="bar /g)).toHaveLength(5);
});

test("the page needs nothing from elsewhere, and what queries and programs wrote is no markup", () => {
  expect(page).toMatch(/^<!doctype html>\n<html lang="en">/);
  expect(page).not.toMatch(/<script|<link|<img|<iframe|\b(?:src|href|onload)=|url\(|@import/i);
  expect(page).toContain("&lt;b&gt;14 passed&lt;/b&gt;");
  for (const tag of ["main", "svg", "dl", "ul", "pre", "details", "footer"])
    expect(page.match(new RegExp(`<${tag}[ >]`, "g"))?.length, tag).toBe(
      page.match(new RegExp(`</${tag}>`, "g"))?.length,
    );
});

test("a drill that ended before anything was there has a page too", () => {
  const { tested: _tested, reached: _reached, rto: _rto, rpo: _rpo, window: _window, ...rest } = SAMPLE_RESULT;
  const bare = formatReportPage(sealReport({ ...rest, checks: [], timings: { totalMs: 3 } }));
  expect(bare).toContain("nothing can be restored");
  expect(bare).toContain("ended before anything could be checked");
  expect(bare).not.toContain("undefined");
});

test("a sealed report is believed in any order and layout, and no longer when a single value was changed", () => {
  const { digest, ...content } = report;
  expect(page).toContain(digest);
  expect(
    parseSealedReport(
      JSON.stringify({ digest, ...Object.fromEntries(Object.entries(content).toReversed()) }, null, 4),
      "r.json",
    ),
  ).toEqual(report);
  const changed = JSON.stringify({ ...report, rto: { ...report.rto, seconds: 2129 } });
  expect(() => parseSealedReport(changed, "r.json")).toThrow(
    expect.objectContaining({ code: "FINDINGS", message: expect.stringContaining(digest) as string }),
  );
  for (const text of ["{", "{}", '{"kind":"soar-drill-report","version":2}'])
    expect(() => parseSealedReport(text, "r.json")).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
});

test("a sealed report that lacks what a page is made of is none, and one with more than this program knows is one", () => {
  const seal = (changes: object): string => JSON.stringify(sealReport({ ...SAMPLE_RESULT, ...changes }));
  expect(parseSealedReport(seal({ weather: "rain" }), "r.json")).toMatchObject({ outcome: SAMPLE_RESULT.outcome });
  for (const [changes, place] of [
    [{ checks: [{ kind: "fence", name: "x", outcome: "maybe", detail: "", durationMs: 1 }] }, "checks.0.outcome"],
    [{ timings: {} }, "timings.totalMs"],
    [{ window: { timelines: [3], gaps: [], unreadable: [] } }, "window.timelines.0"],
    [{ reached: 3 }, "reached"],
  ] as const) {
    expect(() => parseSealedReport(seal(changes), "r.json")).toThrow(
      expect.objectContaining({
        code: "FORMAT_INVALID",
        message: expect.stringContaining(`'r.json' as the report of a drill: ${place}: `) as string,
      }),
    );
  }
});
