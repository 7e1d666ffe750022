import type { App, Command } from "./command.ts";
import { optionsOf, yargsOptions } from "./parse-flags.ts";

/** The word that yargs' completion scripts call the binary with. */
const REQUEST = "--get-yargs-completions";

export function isCompletion(argv: readonly string[]): boolean {
  return argv[0] === "completion" || argv.includes(REQUEST);
}

/** Prints the script for bash or zsh (`soar-restore completion`), or answers the script's question. */
export async function runCompletion(app: App, argv: readonly string[]): Promise<void> {
  const { default: yargs } = await import("yargs");
  const parser = yargs([...argv]).scriptName(app.name).help(false).version(false).exitProcess(false).completion("completion", "Print the completion script for bash or zsh.");
  for (const command of app.commands.filter(({ name }) => !name.includes(" "))) {
    const names = [...(command.name === "" ? [] : [command.name]), ...(command.isDefault === true ? ["$0"] : [])];
    parser.command(names, command.summary, (inner) => inner.options(yargsOptions(optionsOf(command), { withChoices: true })), () => undefined);
  }
  for (const group of groupsOf(app.commands)) parser.command(group, "", (inner) => addGroup(inner, app, group), () => undefined);
  await parser.parseAsync();
}

function groupsOf(commands: readonly Command[]): Set<string> {
  return new Set(commands.flatMap(({ name }) => (name.includes(" ") ? name.split(" ").slice(0, 1) : [])));
}

function addGroup(parser: import("yargs").Argv, app: App, group: string): import("yargs").Argv {
  for (const command of app.commands.filter(({ name }) => name.startsWith(`${group} `))) {
    parser.command(command.name.slice(group.length + 1), command.summary, (inner) => inner.options(yargsOptions(optionsOf(command), { withChoices: true })), () => undefined);
  }
  return parser;
}
