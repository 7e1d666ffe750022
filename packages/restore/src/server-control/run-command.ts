import { SoarError } from "@soar/errors";
import { programFailed, type ProgramResult, runIfPresent } from "@soar/programs";

/** The whole environment of programs of the system. */
export type Environment = Readonly<Record<string, string>>;

/** systemd knows thousands of units on some machines. */
const MOST_CHARACTERS = 4 * 1024 * 1024;

/** Runs a program of the system to its end, whatever its status. Undefined when there is no such program on the path. */
export async function runCommand(words: readonly string[], env: Environment): Promise<ProgramResult | undefined> {
  const [program = "", ...args] = words;
  // What it starts is what it was run for.
  const options = { env: { ...env, LC_ALL: "C" }, mayOutlive: true, maxCharacters: MOST_CHARACTERS };
  return await runIfPresent(program, args, options);
}

/** Rejects with `PROGRAM_MISSING` or `PROGRAM_FAILED` unless it succeeds. */
export async function requireCommand(words: readonly string[], env: Environment): Promise<void> {
  const command = words.join(" ");
  const result = await runCommand(words, env);
  if (result === undefined)
    throw new SoarError("PROGRAM_MISSING", `unable to run '${command}': there is no such program`, {
      hint: "Run the command yourself, then give the restore's command again: it goes on.",
    });
  if (result.status !== 0)
    throw programFailed(
      command,
      result,
      "See to it that this command succeeds, then give the restore's command again: it goes on.",
    );
}
