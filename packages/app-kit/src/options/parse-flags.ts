import { SoarError } from "@soar/errors";
import type { Options } from "yargs";
import { baseOptions } from "./base-options.ts";
import type { App, Command } from "./command.ts";
import type { OptionRow, OptionTable } from "./option-table.ts";
import { parsePlainFlags } from "./plain-flags.ts";
import type { Flags } from "./resolve-config.ts";
import { didYouMean } from "./suggest.ts";

export interface ParsedArguments {
  readonly flags: Flags;
  /** What is not an option, in order. */
  readonly words: readonly string[];
}

/** Every option of a command, the general ones last. */
export function optionsOf(command: Command): OptionTable {
  return { ...command.options, ...baseOptions };
}

/** yargs must not guess: no numbers, no nested keys, no second spelling. What a value means is the table's business. */
const PARSER_CONFIGURATION = {
  "boolean-negation": true,
  "camel-case-expansion": false,
  "dot-notation": false,
  "duplicate-arguments-array": true,
  "parse-numbers": false,
  "parse-positional-numbers": false,
  "strip-aliased": true,
} as const;

/**
 * Separates options from the other arguments of a command. Throws `USAGE` for an unknown option, an option without its
 * value, and one that was given twice.
 *
 * Loads yargs only for what is not plain: that costs 50 ms and more, and `archive_command` runs once per segment.
 */
export async function parseArguments(app: App, command: Command, args: readonly string[]): Promise<ParsedArguments> {
  const table = optionsOf(command);
  return parsePlainFlags(table, args) ?? (await parseWithYargs(app, table, args));
}

/** The same for any arguments. */
export async function parseWithYargs(app: App, table: OptionTable, args: readonly string[]): Promise<ParsedArguments> {
  refuseOddBooleans(app, table, args);
  const { default: yargs } = await import("yargs");
  const parsed = await yargs()
    .help(false)
    .version(false)
    .exitProcess(false)
    .fail(false)
    .parserConfiguration(PARSER_CONFIGURATION)
    .options(yargsOptions(table))
    .parseAsync(withOwnNegations(table, args));
  const flags: Record<string, string | boolean | readonly string[]> = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (name === "_" || name === "$0" || value === undefined) continue;
    const row = table[name];
    if (row === undefined || row.flag === false) throw unknownOption(app, table, name);
    flags[name] = checkFlag(app, { name, row, value });
  }
  return { flags, words: parsed._.map(String) };
}

/** The rows of a table that have a flag, for yargs; with their choices for completion only, since we check them ourselves. */
export function yargsOptions(table: OptionTable, { withChoices } = { withChoices: false }): Record<string, Options> {
  const options: Record<string, Options> = {};
  for (const [name, row] of Object.entries(table)) {
    if (row.flag === false) continue;
    options[name] = {
      type: row.type === "boolean" ? "boolean" : "string",
      describe: row.help,
      ...(row.short === undefined ? {} : { alias: row.short }),
      ...(withChoices && "choices" in row && row.choices !== undefined ? { choices: row.choices } : {}),
    };
  }
  return options;
}

/** An option whose own name begins with "no-" says nothing about one that is called like the rest of it. */
function withOwnNegations(table: OptionTable, args: readonly string[]): string[] {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  return args.map((argument, index) =>
    index < end && argument.startsWith("--no-") && table[argument.slice(2)]?.type === "boolean"
      ? `${argument}=true`
      : argument,
  );
}

/** `--json=maybe` is plain false to yargs. */
function refuseOddBooleans(app: App, table: OptionTable, args: readonly string[]): void {
  for (const argument of args.slice(0, args.includes("--") ? args.indexOf("--") : args.length)) {
    const [, name = "", value] = /^--([^=]+)=(.*)$/s.exec(argument) ?? [];
    if (table[name]?.type === "boolean" && value !== "true" && value !== "false") {
      throw new SoarError("USAGE", `unable to use '${argument}': --${name} takes no value`, {
        hint: `Write --${name} or --no-${name}. Run ${app.name} --help for more.`,
      });
    }
  }
}

function checkFlag(
  app: App,
  { name, row, value }: { name: string; row: OptionRow; value: unknown },
): string | boolean | readonly string[] {
  const hint = `Run ${app.name} --help for its options.`;
  const usage = (fact: string): SoarError => new SoarError("USAGE", `unable to use --${name}: ${fact}`, { hint });
  if (Array.isArray(value)) {
    if (row.type !== "list") throw usage("it was given twice");
    const items = value.map(String);
    if (items.includes("")) throw usage("it needs a value");
    return items;
  }
  if (typeof value === "boolean") {
    // `--no-bucket` of an option that takes a value.
    if (row.type !== "boolean") throw usage("it needs a value");
    return value;
  }
  if (value === "") throw usage("it needs a value");
  return String(value);
}

function unknownOption(app: App, table: OptionTable, name: string): SoarError {
  const dashes = name.length === 1 ? "-" : "--";
  const known = Object.entries(table).flatMap(([candidate, row]) => (row.flag === false ? [] : [`--${candidate}`]));
  const secret = Object.entries(table).find(([candidate, row]) => candidate === name && row.flag === false);
  const help = `Run ${app.name} --help for the options.`;
  const hint =
    secret === undefined
      ? didYouMean(`${dashes}${name}`, known, help)
      : `It is set by the variable ${secret[1].env} only, so that it is not seen in the list of processes.`;
  return new SoarError("USAGE", `unable to use '${dashes}${name}': there is no such option`, { hint });
}
