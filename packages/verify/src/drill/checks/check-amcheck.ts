import { join } from "node:path";
import { connectSql } from "@soar/pg-tools/replication";
import { withoutEventTriggers } from "@soar/restore/rescue";
import { complaintOf, runProgram } from "@soar/programs";
import { environmentFor, hasProgram, withProgramName, type CheckResult, type DrillServer } from "./drill-server.ts";

/** pg_amcheck.c: something is damaged. Anything else but 0 means that it could not look. */
const CORRUPTION_FOUND = 2;
const NO_EXTENSION = /could not open extension control file|extension "amcheck" is not available/;

/** Reads every table and every B-tree index. The extension is made in the scratch cluster, where it costs nobody anything. */
export async function checkWithAmcheck({
  scratch: { binDir, server },
  databases,
  jobs,
  signal,
}: DrillServer): Promise<CheckResult> {
  if (!(await hasProgram(binDir, "pg_amcheck")))
    return { outcome: "skipped", detail: `pg_amcheck is not in '${binDir}'` };
  for (const database of databases) {
    await using connection = await connectSql({ ...server, database }, { writes: true, signal });
    const result = await withoutEventTriggers(connection, () =>
      withProgramName(connection, async (name) =>
        runProgram(join(binDir, "pg_amcheck"), [`--jobs=${jobs}`, "--install-missing=pg_catalog"], {
          env: await environmentFor(server, { database: name, writes: true }),
          signal,
        }),
      ),
    );
    if (result.status === 0) continue;
    if (result.status === CORRUPTION_FOUND)
      return {
        outcome: "failed",
        detail: `database '${database}' is damaged: ${firstFinding(result.stdout)}`,
        output: result.output,
      };
    if (NO_EXTENSION.test(result.stderr))
      return { outcome: "skipped", detail: "the extension amcheck is not installed on this host" };
    return {
      outcome: "failed",
      detail: `database '${database}' could not be checked: ${complaintOf(result)}`,
      output: result.output,
    };
  }
  return {
    outcome: "passed",
    detail: `every table and B-tree index of ${databases.length === 1 ? `database '${databases[0]}'` : `${databases.length} databases`} is sound`,
  };
}

/** A finding is a line that names the relation, and the words on it below. */
function firstFinding(stdout: string): string {
  return stdout
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .slice(0, 2)
    .join(" ");
}
