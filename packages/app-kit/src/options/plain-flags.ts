import type { OptionTable } from "./option-table.ts";

/** What a command was given, where nothing about it is in doubt. */
export interface PlainFlags {
  readonly flags: Readonly<Record<string, string>>;
  readonly words: readonly string[];
}

/**
 * The arguments of the simplest commands: words, and long options that take one value each. Undefined for all others, which
 * are yargs' business; loading it takes longer than the rest of an `archive_command` that names its environment file.
 */
export function parsePlainFlags(table: OptionTable, args: readonly string[]): PlainFlags | undefined {
  const flags: Record<string, string> = {};
  const words: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const argument = args[at] ?? "";
    if (!argument.startsWith("-")) {
      words.push(argument);
      continue;
    }
    const [, name = "", attached] = /^--([a-z][a-z-]*)(?:=(.*))?$/s.exec(argument) ?? [];
    const value = attached ?? args[(at += 1)] ?? "";
    if (!takesOneValue(table, name) || Object.hasOwn(flags, name) || !isPlainValue(value)) return undefined;
    flags[name] = value;
  }
  return { flags, words };
}

function takesOneValue(table: OptionTable, name: string): boolean {
  const row = Object.hasOwn(table, name) ? table[name] : undefined;
  return row !== undefined && row.flag !== false && row.type !== "boolean" && row.type !== "list";
}

/** Quotation marks and a leading dash may mean something. */
function isPlainValue(value: string): boolean {
  return /^[^-"'][^"']*$/s.test(value);
}
