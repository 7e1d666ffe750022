import { quoteForShell } from "@soar/programs";
import type { RestoreReport } from "@soar/restore";

type AtTarget = Pick<RestoreReport, "paused" | "outcome" | "inPlace" | "privateDir">;

/** What was seen of a server that pauses at the target, and what that means for whoever waits for it. */
export function atTargetRows(
  { paused, outcome, inPlace }: AtTarget,
  appServices: readonly string[],
): [string, string][] {
  const rows: [string, string][] = [];
  if (paused !== undefined) rows.push(["paused", pausedText(paused, inPlace)]);
  if (outcome.kind !== "promoted" && inPlace && appServices.length > 0)
    rows.push(["applications", `not started before the restore is finished: ${appServices.join(", ")}`]);
  return rows;
}

/** The applications of a copy run on its source. */
function pausedText(
  { since, isInRecovery, pauseState, unasked }: NonNullable<AtTarget["paused"]>,
  inPlace: boolean,
): string {
  if (isInRecovery === false)
    return `since ${since}, and let go on meanwhile: it has left recovery; seen: pg_is_in_recovery() = false`;
  const still = inPlace ? ", and every application stands still," : "";
  const meaning = `since ${since}: it takes no writes${still} until it is let go on and the restore is finished`;
  if (unasked !== undefined) return `${meaning}; its log says so, it could not be asked: ${unasked}`;
  const state = pauseState === undefined ? "" : `, pg_get_wal_replay_pause_state() = '${pauseState}'`;
  return `${meaning}; seen: pg_is_in_recovery() = ${String(isInRecovery)}${state}`;
}

/** Whether the server that paused was seen to have left recovery, because somebody let it go on. */
export function hasGoneOn({ paused }: Pick<AtTarget, "paused">): boolean {
  return paused?.isInRecovery === false;
}

/** What somebody has to do with a server that pauses, with the commands. */
export function pausedSteps({ paused }: Pick<AtTarget, "paused">): string[] {
  const options = [
    ["-h", paused?.host],
    ["-p", paused?.port],
    ["-U", paused?.user],
  ].flatMap(([name, value]) => (value === undefined ? [] : [` ${name} ${quoteForShell(String(value))}`]));
  const psql = `psql${options.join("")} -d postgres`;
  // pg_wal_replay_resume() is an error where recovery is over.
  if (hasGoneOn({ paused })) return [`look at it: ${psql}`, "give the same command again, which finishes the restore"];
  return [
    `look at it: ${psql}`,
    `when it is what you want: ${psql} -c 'SELECT pg_wal_replay_resume()', then give the same command again, which finishes the restore; else give it with another target`,
  ];
}
