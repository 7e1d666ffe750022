import { SoarError } from "@soar/errors";
import type { App, Command, PositionalTable } from "./command.ts";

/** How positionals are written in help: `PATH NAME`, `[LABEL...]`. */
export function formatPositionals(table: PositionalTable): string {
  return Object.entries(table)
    .map(([name, { optional, many }]) => {
      const word = name.replaceAll(/([A-Z])/g, "-$1").toUpperCase() + (many === true ? "..." : "");
      return optional === true ? `[${word}]` : word;
    })
    .join(" ");
}

/** Gives every positional its words. Throws `USAGE` for one that is missing and for words that are left over. */
export function bindPositionals(
  app: App,
  command: Command,
  words: readonly string[],
): Record<string, string | readonly string[] | undefined> {
  const table = command.positionals ?? {};
  const bound: Record<string, string | readonly string[] | undefined> = {};
  let used = 0;
  for (const [name, { optional, many }] of Object.entries(table)) {
    if (words.length <= used && optional !== true)
      throw usage(app, command, `${formatPositionals({ [name]: { help: "" } })} is missing`);
    bound[name] = many === true ? words.slice(used) : words[used];
    used = many === true ? words.length : used + 1;
  }
  const extra = words[used];
  if (extra !== undefined) throw usage(app, command, `'${extra}' is one argument too many`);
  return bound;
}

function usage(app: App, command: Command, fact: string): SoarError {
  const called = [app.name, command.name].filter((word) => word !== "").join(" ");
  const form = [called, formatPositionals(command.positionals ?? {})].filter((word) => word !== "").join(" ");
  return new SoarError("USAGE", `unable to run '${called}': ${fact}`, {
    hint: `The form is: ${form} [options]. Run ${called} --help for more.`,
  });
}
