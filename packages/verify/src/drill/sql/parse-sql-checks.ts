import { SoarError } from "@soar/errors";
import type { Expectation, SqlCheck } from "./sql-check.ts";

const FORMS =
  "'-- expect: 42', '-- expect at least 1', '-- same as production', '-- at most 1% less than production', '-- at most 10 min older than production' or '-- must run'";

/**
 * Reads a file of queries. Each ends with a semicolon at the end of a line, and comment lines above it say what is expected.
 * Other comments are passed over. A query without an expectation is refused: a slip in it would count as passed.
 * Throws `CONFIG_INVALID` with file and line.
 */
export function parseSqlChecks(text: string, path: string): SqlCheck[] {
  const checks: SqlCheck[] = [];
  let draft = emptyDraft();
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    const here = { path, line: at + 1 };
    const comment = draft.sql.length === 0 ? /^\s*--\s*(.*?)\s*$/.exec(line)?.[1] : undefined;
    if (comment !== undefined) readComment(draft, comment, here);
    else if (draft.sql.length > 0 || line.trim() !== "") {
      draft.line ??= at + 1;
      draft.sql.push(line);
      if (!/;\s*$/.test(line)) continue;
      checks.push(finish(draft, path));
      draft = emptyDraft();
    }
  }
  if (draft.sql.length > 0)
    throw invalid(
      { path, line: draft.line ?? 1 },
      "the query does not end",
      "A semicolon at the end of a line ends it.",
    );
  if (draft.expectations.length > 0)
    throw invalid(
      { path, line: text.split("\n").length },
      "there is an expectation without a query",
      "A query follows the lines that say what is expected of it.",
    );
  if (checks.length === 0)
    throw invalid(
      { path, line: 1 },
      "there is no query in it",
      "For example, on two lines: -- expect at least 1 and SELECT count(*) FROM devices; in this order.",
    );
  return checks;
}

interface Draft {
  name: string | undefined;
  database: string | undefined;
  readonly expectations: Expectation[];
  readonly sql: string[];
  line: number | undefined;
}

interface Place {
  readonly path: string;
  readonly line: number;
}

function emptyDraft(): Draft {
  return { name: undefined, database: undefined, expectations: [], sql: [], line: undefined };
}

function readComment(draft: Draft, comment: string, place: Place): void {
  const [, word, value = ""] = /^(name|database):\s*(.+)$/i.exec(comment) ?? [];
  if (word !== undefined) {
    draft[word.toLowerCase() as "name" | "database"] = value;
    return;
  }
  const expectation = parseExpectation(comment);
  if (expectation !== undefined) draft.expectations.push(expectation);
  else if (/^(?:expect\b|same as\b|at (?:most|least)\b|must\b)/i.test(comment))
    throw invalid(place, `'-- ${comment}' is not understood`, `What is expected is written as ${FORMS}.`);
}

function parseExpectation(comment: string): Expectation | undefined {
  const [, row] = /^expect:\s?(.*)$/i.exec(comment) ?? [];
  if (row !== undefined) return { kind: "rows", rows: row === "(no rows)" ? [] : [row] };
  if (/^must run$/i.test(comment)) return { kind: "runs" };
  if (/^same as production$/i.test(comment)) return { kind: "same" };
  const [, side, bound] = /^expect (at least|at most):? (-?\d+(?:\.\d+)?)$/i.exec(comment) ?? [];
  if (side !== undefined)
    return { kind: "bound", side: side.toLowerCase() as "at least" | "at most", value: Number(bound) };
  return parseTolerance(comment);
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

function parseTolerance(comment: string): Expectation | undefined {
  const [, amount, percent, side] =
    /^at most (\d+(?:\.\d+)?)\s?(%)? (less|more|different) (?:than|from) production$/i.exec(comment) ?? [];
  if (side !== undefined)
    return {
      kind: "number",
      side: side.toLowerCase() as "less" | "more" | "different",
      amount: Number(amount),
      percent: percent !== undefined,
    };
  const [, time, unit = ""] = /^at most (\d+(?:\.\d+)?)\s?(s|min|h|d) older than production$/i.exec(comment) ?? [];
  return time === undefined ? undefined : { kind: "older", ms: Number(time) * (UNIT_MS[unit.toLowerCase()] ?? 0) };
}

function finish(draft: Draft, path: string): SqlCheck {
  const line = draft.line ?? 1;
  const sql = draft.sql.join("\n").trim();
  const [first, second] = draft.expectations;
  if (sql.startsWith("\\")) throw invalid({ path, line }, "a command of psql is no query", "Write SQL.");
  if (first === undefined)
    throw invalid(
      { path, line },
      "nothing is said of what is expected of the query",
      `Write a line above it: ${FORMS}.`,
    );
  // Several rows are several lines.
  const rows = draft.expectations.flatMap((one) => (one.kind === "rows" ? one.rows : []));
  const isOne =
    second === undefined ||
    (draft.expectations.every(({ kind }) => kind === "rows") && rows.length === draft.expectations.length);
  if (!isOne)
    throw invalid(
      { path, line },
      "more than one thing is expected of the query",
      "Write the query twice, with one expectation each.",
    );
  const name =
    draft.name ?? (sql.length > 60 ? `${sql.slice(0, 59).replaceAll(/\s+/g, " ")}…` : sql.replaceAll(/\s+/g, " "));
  return {
    name,
    sql,
    line,
    database: draft.database,
    expectation: first.kind === "rows" ? { kind: "rows", rows } : first,
  };
}

function invalid({ path, line }: Place, fact: string, hint: string): SoarError {
  return new SoarError("CONFIG_INVALID", `unable to use '${path}', line ${line}: ${fact}`, { hint });
}
