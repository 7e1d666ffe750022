import { parseInstant } from "@soar/app-kit";
import { expect, test } from "vitest";
import { beginChoice, pressKey, stepName, usableBackups, type InstantChoice } from "./instant-choice.ts";
import type { Key } from "./terminal.ts";

const at = (text: string): number => Date.parse(`2025-01-${text}Z`);
const range = {
  kind: "range",
  timeline: undefined,
  fromMs: at("05T02:00:00"),
  toMs: at("20T12:00:00"),
  startMs: at("20T12:00:00"),
  backups: [
    { label: "old", usableFromMs: at("05T02:00:00") },
    { label: "new", usableFromMs: at("12T02:00:00") },
  ],
} as const;

/** Keys by their names, everything else typed letter by letter. */
function press(...keys: readonly string[]): InstantChoice {
  const named = new Set(["up", "down", "left", "right", "home", "end", "enter", "backspace"]);
  const presses = keys.flatMap((key) =>
    named.has(key) ? [{ name: key, text: "" } as Key] : key.split("").map((text): Key => ({ name: "text", text })),
  );
  return presses.reduce(
    (choice, key) => pressKey(choice, key, range, (text) => parseInstant(text, { zone: "Europe/Berlin" })),
    beginChoice(range),
  );
}
const instantOf = ({ micros }: InstantChoice): string => new Date(Number(micros / 1000n)).toISOString();

test("arrows move by steps of a second to a day, and never out of what can be restored", () => {
  expect(instantOf(press("left"))).toBe("2025-01-20T11:59:00.000Z");
  expect(instantOf(press("down", "down", "left"))).toBe("2025-01-20T11:59:59.000Z");
  expect(instantOf(press("up", "up", "up", "left", "left"))).toBe("2025-01-18T12:00:00.000Z");
  expect(stepName(press("up", "up", "up"))).toBe("day");
  expect(instantOf(press("right"))).toBe("2025-01-20T12:00:00.000Z");
  expect(instantOf(press("home", "left"))).toBe("2025-01-05T02:00:00.000Z");
});

test("a typed time is read in the zone, or with its offset; what is wrong with it is said and can be mended", () => {
  expect(instantOf(press("2025-01-10 14:25:00", "enter"))).toBe("2025-01-10T13:25:00.000Z");
  expect(instantOf(press("2025-01-10 14:25:00+00", "enter"))).toBe("2025-01-10T14:25:00.000Z");
  const wrong = press("2025-01-10 14:65", "enter");
  expect(wrong).toMatchObject({
    typed: "2025-01-10 14:65",
    isDone: false,
    problem: expect.stringContaining("there is no such date or time"),
  });
  expect(press("2025-02-10 14:25", "enter").problem).toContain("outside of this stretch");
  expect(instantOf(press("2025-01-10 14:65", "enter", "backspace", "backspace", "25", "enter"))).toBe(
    "2025-01-10T13:25:00.000Z",
  );
  expect(press("2", "backspace")).toMatchObject({ typed: undefined });
  expect(press("2025-01-10 14:25:00", "enter", "enter").isDone).toBe(true);
});

test("b goes through the backups that lie before the instant, x leaves the commit at the instant out", () => {
  expect(usableBackups(range, press("b"))[press("b").older]?.label).toBe("old");
  expect(press("b", "b").older).toBe(0);
  expect(press("home", "b").older).toBe(0);
  // Moved, the choice begins anew: the backup may lie behind the instant.
  expect(press("b", "left").older).toBe(0);
  expect(press("x").inclusive).toBe(false);
  expect(press("x", "x").inclusive).toBe(true);
});
