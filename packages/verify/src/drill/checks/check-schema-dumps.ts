import { join } from "node:path";
import { connectSql } from "@soar/pg-tools/replication";
import { databaseArgument } from "@soar/restore/rescue";
import { complaintOf, runProgram } from "@soar/programs";
import { environmentFor, withProgramName, type CheckResult, type DrillServer } from "./drill-server.ts";

/** Dumps the definitions of every database into nothing: the catalogs can be read and fit together. */
export async function checkSchemaDumps({
  scratch: { binDir, server },
  databases,
  signal,
}: DrillServer): Promise<CheckResult> {
  for (const database of databases) {
    await using connection = await connectSql({ ...server, database }, { writes: true, signal });
    const result = await withProgramName(connection, async (name) =>
      runProgram(join(binDir, "pg_dump"), ["--schema-only", "--file=/dev/null", databaseArgument(name)], {
        env: await environmentFor(server, { database: name }),
        signal,
      }),
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
