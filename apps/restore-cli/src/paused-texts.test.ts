import { expect, test } from "vitest";
import { atTargetRows, pausedSteps } from "./paused-texts.ts";

const PAUSED = {
  since: "2025-01-10T14:00:00Z",
  host: "/run/postgresql",
  port: 5432,
  user: "postgres",
  isInRecovery: true,
  pauseState: "paused",
  unasked: undefined,
};
const OUTCOME = { kind: "paused", timeline: 1 } as const;

function pausedRow(inPlace: boolean, seen: { readonly isInRecovery?: boolean } = {}): string | undefined {
  const report = { paused: { ...PAUSED, ...seen }, outcome: OUTCOME, inPlace, privateDir: undefined };
  return atTargetRows(report, []).find(([name]) => name === "paused")?.[1];
}

test("the applications of a copy that pauses do not stand still, those of a server in its place do", () => {
  expect(pausedRow(true)).toContain("it takes no writes, and every application stands still, until it is let go on");
  expect(pausedRow(false)).toContain("it takes no writes until it is let go on");
});

test("a server that was let go on meanwhile is not told to take no writes", () => {
  for (const inPlace of [true, false]) {
    const text = pausedRow(inPlace, { isInRecovery: false });
    expect(text).toContain("let go on meanwhile: it has left recovery; seen: pg_is_in_recovery() = false");
    expect(text).not.toMatch(/takes no writes|stands still/);
  }
});

test("a server that was let go on meanwhile is not told to be let go on, which would be an error", () => {
  const steps = (isInRecovery: boolean): string => pausedSteps({ paused: { ...PAUSED, isInRecovery } }).join("\n");
  expect(steps(true)).toContain("pg_wal_replay_resume()");
  expect(steps(false)).not.toContain("pg_wal_replay_resume()");
  expect(steps(false)).toContain("give the same command again, which finishes the restore");
});
