import type { Argv, Options } from "yargs";
import type { App, Command } from "./command.ts";
import { optionsOf, yargsOptions } from "./parse-flags.ts";

/** Prints the script for bash or zsh (`soar-restore completion`), or answers the script's question. */
export async function runCompletion(app: App, argv: readonly string[]): Promise<void> {
  const { default: yargs } = await import("yargs");
  const parser = yargs([...argv])
    .scriptName(app.name)
    .help(false)
    .version(false)
    .exitProcess(false)
    .completion("completion", "Print the completion script for bash or zsh.");
  for (const command of app.commands.filter(({ name }) => !name.includes(" "))) {
    const names = [...(command.name === "" ? [] : [command.name]), ...(command.isDefault === true ? ["$0"] : [])];
    parser.command(
      names,
      command.summary,
      (inner) => inner.options(completedOptions(command)),
      () => undefined,
    );
  }
  for (const group of groupsOf(app.commands))
    parser.command(
      group,
      "",
      (inner) => addGroup(inner, app, group),
      () => undefined,
    );
  await parser.parseAsync();
}

/** Without the one-letter forms, which yargs would offer with two dashes, and with `--no-x` for what is on by default. */
function completedOptions(command: Command): Record<string, Options> {
  const table = optionsOf(command);
  const options = Object.entries(yargsOptions(table, { withChoices: true })).map(
    ([name, { alias: _alias, ...option }]) => {
      const row = table[name];
      return [row?.type === "boolean" && row.default === true ? `no-${name}` : name, option] as const;
    },
  );
  return Object.fromEntries(options);
}

function groupsOf(commands: readonly Command[]): Set<string> {
  return new Set(commands.flatMap(({ name }) => (name.includes(" ") ? name.split(" ").slice(0, 1) : [])));
}

function addGroup(parser: Argv, app: App, group: string): Argv {
  for (const command of app.commands.filter(({ name }) => name.startsWith(`${group} `))) {
    parser.command(
      command.name.slice(group.length + 1),
      command.summary,
      (inner) => inner.options(completedOptions(command)),
      () => undefined,
    );
  }
  return parser;
}
