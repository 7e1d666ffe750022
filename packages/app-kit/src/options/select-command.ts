import { SoarError } from "@soar/errors";
import { baseOptions } from "./base-options.ts";
import type { App, Command } from "./command.ts";
import type { OptionTable } from "./option-table.ts";
import { didYouMean } from "./suggest.ts";

export interface SelectedCommand {
  readonly command: Command;
  /** The arguments without the words that named the command. */
  readonly args: readonly string[];
}

/**
 * Finds the command that the arguments name, or the default one, or undefined. Done here rather than by yargs, because
 * it must also be known for command lines that are wrong (`exitStatusFor`), and because a command line without options
 * (`soar-wal-archive %p %f`, once per segment) then needs no yargs at all.
 */
export function selectCommand(app: App, argv: readonly string[]): SelectedCommand | undefined {
  const words = wordIndexes(app, argv);
  for (const count of [2, 1]) {
    const named = words.slice(0, count);
    const name = named.map((index) => argv[index]).join(" ");
    const command = app.commands.find((candidate) => candidate.name !== "" && candidate.name === name);
    if (command !== undefined) return { command, args: argv.filter((_, index) => !named.includes(index)) };
  }
  const command = app.commands.find(({ isDefault }) => isDefault === true);
  return command === undefined ? undefined : { command, args: argv };
}

/** The `USAGE` error for a command line that names no command, or an unknown one. */
export function unknownCommand(app: App, argv: readonly string[]): SoarError {
  const names = app.commands.flatMap(({ name }) => (name === "" ? [] : [name]));
  const [first, second] = wordIndexes(app, argv).map((index) => argv[index] ?? "");
  const hint = `Run ${app.name} --help for the list of commands.`;
  if (first === undefined) return new SoarError("USAGE", `unable to run '${app.name}': no command is named`, { hint });
  const isGroup = names.some((name) => name.startsWith(`${first} `));
  const typed = isGroup && second !== undefined ? `${first} ${second}` : first;
  return new SoarError("USAGE", `unable to run '${typed}': there is no such command`, {
    hint: didYouMean(typed, names, hint),
  });
}

/** Where the arguments are that are neither options nor values of options. */
function wordIndexes(app: App, argv: readonly string[]): number[] {
  const tables: OptionTable[] = [baseOptions, ...app.commands.map(({ options }) => options)];
  const takesValue = (flag: string): boolean =>
    tables.some((table) =>
      Object.entries(table).some(
        ([name, row]) => (flag === `--${name}` || flag === `-${row.short}`) && row.type !== "boolean",
      ),
    );
  const indexes: number[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? "";
    if (argument === "--") return indexes;
    if (!argument.startsWith("-") || argument === "-") indexes.push(index);
    else if (takesValue(argument)) index += 1;
  }
  return indexes;
}
