import { readTextIfPresent } from "@soar/durable-files";
import { isSoarError, messageOf } from "@soar/errors";
import { parseSqlChecks } from "../drill/sql/parse-sql-checks.ts";
import { runAsUser, type UserOptions } from "./as-user.ts";
import type { Notes } from "./examination.ts";
import type { DrillQueries } from "./program-settings.ts";

const READ = '[ -f "$1" ] && [ -r "$1" ]';

/** Whether a drill looks at what only its owner knows to be right, and can. */
export async function examineDrillQueries(
  { sqlFile, command }: DrillQueries,
  notes: Notes,
  options: UserOptions,
): Promise<void> {
  if (sqlFile === undefined && command === undefined)
    return notes.notice(
      "drill-queries-unset",
      "drills run no queries of yours: they prove that everything can be read, not that what is there is what should be",
      "Write some, as the README of soar-backup-verify shows, and name the file in BACKUP_DRILL_SQL; or a command in BACKUP_DRILL_COMMAND.",
    );
  if (sqlFile === undefined) return notes.ok("drill-queries", "drills run the command of BACKUP_DRILL_COMMAND");
  const fault = await faultOf(sqlFile, options);
  if (fault === undefined) return notes.ok("drill-queries", `drills run the queries in '${sqlFile}'`);
  notes.warning(
    "drill-queries",
    `every drill fails before it restores anything: ${fault}`,
    "Correct the file, its owner or BACKUP_DRILL_SQL; then see that a drill passes: soar-backup-verify drill.",
  );
}

async function faultOf(sqlFile: string, options: UserOptions): Promise<string | undefined> {
  try {
    const text = await readTextIfPresent(sqlFile);
    if (text === undefined) return `there is no file '${sqlFile}' (BACKUP_DRILL_SQL)`;
    parseSqlChecks(text, sqlFile);
  } catch (error) {
    if (!isSoarError(error)) throw error;
    return messageOf(error);
  }
  const { status } = await runAsUser(READ, [sqlFile], options);
  return status === 0 ? undefined : `the user who runs it may not read '${sqlFile}' (BACKUP_DRILL_SQL)`;
}
