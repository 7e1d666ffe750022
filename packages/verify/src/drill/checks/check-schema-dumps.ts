import { join } from "node:path";
import { complaintOf, runProgram } from "@soar/programs";
import { databaseArgument } from "@soar/restore/rescue";
import { environmentFor, type CheckResult, type DrillServer } from "./drill-server.ts";

/** Dumps the definitions of every database into nothing: the catalogs can be read and fit together. */
export async function checkSchemaDumps({
  scratch: { binDir, server },
  databases,
  signal,
}: DrillServer): Promise<CheckResult> {
  for (const database of databases) {
    const result = await runProgram(
      join(binDir, "pg_dump"),
      ["--schema-only", "--file=/dev/null", databaseArgument(database)],
      { env: await environmentFor(server, { database }), signal },
    );
    if (result.status !== 0)
      return {
        outcome: "failed",
        detail: `the definitions of database '${database}' cannot be dumped: ${complaintOf(result)}`,
        output: result.output,
      };
  }
  return { outcome: "passed", detail: `the definitions of ${databases.join(", ")} can be dumped` };
}
