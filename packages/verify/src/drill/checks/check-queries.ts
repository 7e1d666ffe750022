import { join } from "node:path";
import { type ProgramResult, complaintOf, runProgram } from "@soar/programs";
import type { TargetServer } from "@soar/restore/rescue";
import { judgeResult } from "../sql/judge-result.ts";
import { needsProduction, type SqlCheck } from "../sql/sql-check.ts";
import { environmentFor, type CheckResult, type DrillServer } from "./drill-server.ts";

export interface QuerySource {
  /** Database for queries that name none. */
  readonly database: string;
  /** The server that was backed up, or why it cannot be asked. */
  readonly production: TargetServer | { readonly unusable: string };
}

/** Runs one query of the operator's file, here and where it is compared on production, in read-only sessions. */
export async function checkQuery(
  drill: DrillServer,
  check: SqlCheck,
  { database: byDefault, production }: QuerySource,
): Promise<CheckResult> {
  const database = check.database ?? byDefault;
  const here = await runQuery(
    drill,
    check.sql,
    await environmentFor(drill.scratch.server, { database, text: "unicode" }),
  );
  const result = (
    passed: boolean,
    detail: string,
    query: { readonly expected: string; readonly found: string },
  ): CheckResult => ({
    name: check.name,
    outcome: passed ? "passed" : "failed",
    detail,
    query: { sql: check.sql, database, ...query },
  });
  const wanted = describeWanted(check);
  if (here.status !== 0)
    return result(false, `the query failed: ${complaintOf(here)}`, { expected: wanted, found: here.stderr.trim() });
  const found = linesOf(here);
  let there: string | undefined;
  if (needsProduction(check.expectation)) {
    if ("unusable" in production)
      return result(false, `there is nothing to compare with: ${production.unusable}`, { expected: wanted, found });
    const asked = await runQuery(
      drill,
      check.sql,
      await environmentFor(
        { ...production.server, database },
        { certificateFile: production.certificateFile, text: "unicode" },
      ),
    );
    if (asked.status !== 0)
      return result(false, `the query failed on production: ${complaintOf(asked)}`, { expected: wanted, found });
    there = linesOf(asked);
  }
  const { passed, expected } = judgeResult(check.expectation, found, there);
  return result(passed, passed ? `found ${brief(found)}` : `expected ${brief(expected)}, found ${brief(found)}`, {
    expected,
    found,
  });
}

async function runQuery(
  { scratch: { binDir }, signal }: DrillServer,
  sql: string,
  env: Record<string, string>,
): Promise<ProgramResult> {
  return await runProgram(join(binDir, "psql"), ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql], {
    env,
    signal,
  });
}

function linesOf({ stdout }: ProgramResult): string {
  return stdout.replace(/\n$/, "");
}

function describeWanted({ expectation }: SqlCheck): string {
  return expectation.kind === "rows"
    ? expectation.rows.join("\n")
    : needsProduction(expectation)
      ? "what production gives"
      : "no error";
}

const BRIEF = 80;

function brief(text: string): string {
  const line = text.replaceAll("\n", " / ");
  return line === "" ? "nothing" : line.length > BRIEF ? `${line.slice(0, BRIEF - 1)}…` : line;
}
