import { isSoarError } from "@soar/errors";
import type { RestorePlan } from "@soar/restore/plan";
import { checkCollations } from "./checks/check-collations.ts";
import { checkFence } from "./checks/check-fence.ts";
import { checkPageChecksums } from "./checks/check-page-checksums.ts";
import { checkQuery, type QuerySource } from "./checks/check-queries.ts";
import { checkNewestCommit, describeStart } from "./checks/check-recovery.ts";
import { checkSchemaDumps } from "./checks/check-schema-dumps.ts";
import { checkWithAmcheck } from "./checks/check-amcheck.ts";
import type { CheckResult, DrillServer } from "./checks/drill-server.ts";
import { runOwnCommand } from "./checks/run-own-command.ts";
import type { DrillOptions } from "./drill-options.ts";
import type { DrillCheck } from "./report/drill-report.ts";

export interface ChecksContext {
  readonly plan: RestorePlan;
  readonly consistentLsn: bigint | undefined;
  readonly queries: QuerySource;
  readonly onCheck: (check: DrillCheck) => void;
}

/** Everything that is checked of a restored server, cheap things first; the last one stops it. A check that fails ends nothing. */
export async function runChecks(
  drill: DrillServer,
  { sqlChecks, command, defaultDatabase }: DrillOptions,
  { plan, consistentLsn, queries, onCheck }: ChecksContext,
): Promise<void> {
  const check = async (
    kind: DrillCheck["kind"],
    name: string,
    work: () => CheckResult | Promise<CheckResult>,
  ): Promise<void> => {
    drill.signal.throwIfAborted();
    const begin = performance.now();
    const result = await attempt(work);
    onCheck({ kind, name, ...result, durationMs: Math.round(performance.now() - begin) });
  };
  await check("consistent-start", "consistent start", () => describeStart(drill, plan, consistentLsn));
  await check("fence", "fence", () => checkFence(drill));
  await check("newest-commit", "newest commit", () => checkNewestCommit(drill, plan));
  await check("collations", "collation versions", () => checkCollations(drill));
  await check("schema-dump", "dump of definitions", () => checkSchemaDumps(drill));
  for (const query of sqlChecks) await check("query", query.name, () => checkQuery(drill, query, queries));
  await check("amcheck", "tables and indexes", () => checkWithAmcheck(drill));
  if (command !== undefined)
    await check("command", "own command", () =>
      runOwnCommand(drill, { command: command.line, database: defaultDatabase, env: command.env, cwd: command.cwd }),
    );
  await check("page-checksums", "page checksums", () => checkPageChecksums(drill, plan.backup));
}

/** What keeps a check from looking fails it, with the reason; a bug and an abort are something else. */
async function attempt(work: () => CheckResult | Promise<CheckResult>): Promise<CheckResult> {
  try {
    return await work();
  } catch (error) {
    if (!isSoarError(error) || error.code === "ABORTED") throw error;
    return { outcome: "failed", detail: error.message };
  }
}
