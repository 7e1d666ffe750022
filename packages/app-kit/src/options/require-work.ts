import { SoarError } from "@soar/errors";
import type { App } from "./command.ts";
import type { SelectedCommand } from "./select-command.ts";

/** What prints something instead of doing the work; as options with and without a value. */
const ANSWERS = /^(?:-h|--(?:help|version|print-config|describe|get-yargs-completions)(?:=.*)?)$/;
/** The same, in the place of a command. */
const ANSWERING_COMMANDS = ["help", "completion"];

/**
 * Where another program takes the exit status for "the work is done", no question may be answered with 0: PostgreSQL would
 * recycle a segment because a help text was printed. Throws `USAGE`.
 */
export function requireWork(app: App, argv: readonly string[], selected: SelectedCommand | undefined): void {
  const isOne = (word: string, at: number): boolean =>
    ANSWERS.test(word) || (at === 0 && ANSWERING_COMMANDS.includes(word));
  const answer = argv.find(isOne);
  if (answer === undefined || !(isAsked(selected) || app.isWork?.(argv) === true)) return;
  throw new SoarError("USAGE", `unable to answer '${answer}' in place of the work that the other arguments ask for`, {
    hint: `Give ${answer} alone. Nothing was done.`,
  });
}

/** All positionals of a command whose status is believed are given. */
function isAsked(selected: SelectedCommand | undefined): boolean {
  if (selected?.command.isBelieved !== true) return false;
  const needed = Object.keys(selected.command.positionals ?? {}).length;
  return selected.args.filter((word) => !word.startsWith("-")).length >= needed;
}
