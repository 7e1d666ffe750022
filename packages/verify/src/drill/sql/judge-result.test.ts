import { expect, test } from "vitest";
import { judgeResult } from "./judge-result.ts";
import type { Expectation } from "./sql-check.ts";

test.each<[Expectation, string, string | undefined, boolean]>([
  [{ kind: "runs" }, "anything", undefined, true],
  [{ kind: "rows", rows: ["1|a", "2|b"] }, "1|a\n2|b", undefined, true],
  [{ kind: "rows", rows: ["1|a"] }, "1|a\n2|b", undefined, false],
  [{ kind: "rows", rows: [] }, "", undefined, true],
  [{ kind: "bound", side: "at least", value: 10 }, "10", undefined, true],
  [{ kind: "bound", side: "at least", value: 10 }, "9", undefined, false],
  [{ kind: "bound", side: "at most", value: 10 }, "11", undefined, false],
  [{ kind: "bound", side: "at most", value: 10 }, "", undefined, false],
  [{ kind: "bound", side: "at most", value: 10 }, "many", undefined, false],
  [{ kind: "same" }, "7", "7", true],
  [{ kind: "same" }, "7", "8", false],
  [{ kind: "number", side: "less", amount: 1, percent: true }, "99", "100", true],
  [{ kind: "number", side: "less", amount: 1, percent: true }, "98", "100", false],
  [{ kind: "number", side: "less", amount: 1, percent: true }, "500", "100", true],
  [{ kind: "number", side: "more", amount: 5, percent: false }, "106", "100", false],
  [{ kind: "number", side: "different", amount: 5, percent: false }, "95", "100", true],
  [{ kind: "number", side: "different", amount: 5, percent: false }, "106", "100", false],
  [{ kind: "number", side: "less", amount: 1, percent: true }, "", "100", false],
  [{ kind: "older", ms: 60_000 }, "2026-01-01 10:00:00.5+00", "2026-01-01 11:01:00.5+01", true],
  [{ kind: "older", ms: 60_000 }, "2026-01-01 09:59:00+00", "2026-01-01 10:00:00.001+00", false],
  [{ kind: "older", ms: 60_000 }, "", "2026-01-01 10:00:00+00", false],
  [{ kind: "older", ms: 60_000 }, "", "", true],
  [{ kind: "older", ms: 86_400_000 }, "2026-01-01", "2026-01-02", true],
])("%j: %j beside production's %j", (expectation, found, production, passed) => {
  expect(judgeResult(expectation, found, production)).toEqual({ passed, expected: expect.any(String) });
});

test("what was expected names production's value", () => {
  expect(judgeResult({ kind: "number", side: "less", amount: 1, percent: true }, "1", "100").expected).toBe(
    "at most 1 % less than 100 (production)",
  );
  expect(judgeResult({ kind: "same" }, "1", "100").expected).toBe("100 (as in production)");
});
