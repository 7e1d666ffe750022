import type { Expectation } from "./sql-check.ts";

export interface Judgement {
  readonly passed: boolean;
  /** What was wanted, with production's value where it counts. */
  readonly expected: string;
}

/** Compares what a query gave, line by line as `psql -At` prints it, with what was expected of it. */
export function judgeResult(expectation: Expectation, found: string, production: string | undefined): Judgement {
  switch (expectation.kind) {
    case "runs":
      return { passed: true, expected: "no error" };
    case "rows":
      return {
        passed: found === expectation.rows.join("\n"),
        expected: expectation.rows.length === 0 ? "(no rows)" : expectation.rows.join("\n"),
      };
    case "bound": {
      const { side, value } = expectation;
      const number = numberOf(found);
      return {
        passed: number !== undefined && (side === "at least" ? number >= value : number <= value),
        expected: `${side} ${value}`,
      };
    }
    default:
      return judgeAgainst(expectation, found, production ?? "");
  }
}

function judgeAgainst(
  expectation: Extract<Expectation, { kind: "same" | "number" | "older" }>,
  found: string,
  production: string,
): Judgement {
  if (expectation.kind === "same")
    return { passed: found === production, expected: `${production} (as in production)` };
  if (expectation.kind === "older") {
    const [here, there] = [timeOf(found), timeOf(production)];
    // Neither has one: both are equally new.
    const passed =
      found === production || (here !== undefined && there !== undefined && there - here <= expectation.ms);
    return { passed, expected: `at most ${expectation.ms / 1000} s older than ${production} (production)` };
  }
  const { side, amount, percent } = expectation;
  const [here, there] = [numberOf(found), numberOf(production)];
  const expected = `at most ${amount}${percent ? " %" : ""} ${side} ${side === "different" ? "from" : "than"} ${production} (production)`;
  if (here === undefined || there === undefined) return { passed: false, expected };
  const tolerance = percent ? (Math.abs(there) * amount) / 100 : amount;
  const [less, more] = [there - here <= tolerance, here - there <= tolerance];
  return { passed: side === "less" ? less : side === "more" ? more : less && more, expected };
}

function numberOf(text: string): number | undefined {
  const number = Number(text);
  return text.trim() === "" || !Number.isFinite(number) ? undefined : number;
}

/** `2025-01-10 14:30:00.123+00`, as PostgreSQL prints it; without an offset it is UTC, as the session is. */
function timeOf(text: string): number | undefined {
  const [, day, time = "00:00:00", offset] =
    /^(\d{4,}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d(?:\.\d+)?))?([+-]\d\d(?::?\d\d)?)?$/.exec(text) ?? [];
  if (day === undefined) return undefined;
  const zone = offset === undefined ? "Z" : offset.length === 3 ? `${offset}:00` : offset;
  const at = Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(at) ? undefined : at;
}
