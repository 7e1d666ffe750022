import { connectSql } from "@soar/pg-tools/replication";
import { runProgram } from "@soar/programs";
import type { CheckResult, DrillServer } from "./drill-server.ts";

export interface OwnCommand {
  /** For the shell. */
  readonly command: string;
  readonly database: string;
  /** What it inherits; nothing in it may lead to production. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/**
 * Runs the operator's own command against the drill, for example the tests of an application, as the user that runs the
 * server. It may write: nobody will ever see it.
 */
export async function runOwnCommand(
  drill: DrillServer,
  { command, database, env, cwd }: OwnCommand,
): Promise<CheckResult> {
  const {
    scratch: { server },
    owner,
    signal,
  } = drill;
  await allowWriting(drill);
  const place = { PGHOST: server.host, PGPORT: String(server.port), PGUSER: server.user, PGDATABASE: database };
  // What an application's tests usually look at, so that they do not go to production by a variable left in the environment.
  const url = `postgresql://${encodeURIComponent(server.user)}@/${encodeURIComponent(database)}?host=${encodeURIComponent(server.host)}&port=${server.port}`;
  const result = await runProgram("/bin/sh", ["-c", command], {
    env: { ...env, ...place, DATABASE_URL: url },
    owner,
    cwd,
    signal,
  });
  const output = result.output.trimEnd();
  return result.status === 0
    ? { outcome: "passed", detail: `'${command}' succeeded`, output }
    : { outcome: "failed", detail: `'${command}' failed: ${result.ending.replace("'sh' ", "it ")}`, output };
}

/** What was set for a role counts more than the command line on which the scratch server was made read-only. */
async function allowWriting({ scratch: { server } }: DrillServer): Promise<void> {
  await using connection = await connectSql(server, { writes: true });
  await connection.query("ALTER ROLE ALL SET default_transaction_read_only = off");
}
