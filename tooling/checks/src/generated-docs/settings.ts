import { isDeepStrictEqual } from "node:util";
import type { AppDescription, OptionRow } from "@soar/app-kit";

/** A variable of the environment and of the env file. */
export interface Setting {
  readonly variable: string;
  /** Name of the option, its flag without dashes. */
  readonly name: string;
  readonly row: OptionRow;
  readonly group: string;
  /** Binaries that read it, in alphabetical order. */
  readonly readBy: readonly string[];
}

const GROUPS = ["Storage", "PostgreSQL", "Backup", "General"];

/**
 * Every variable that any binary reads, by group. Throws when two of them give one variable different meanings: there is
 * one env file for all.
 */
export function collectSettings(apps: readonly AppDescription[]): Setting[] {
  const settings = new Map<string, Setting>();
  for (const { app, command, name, row } of optionsOf(apps)) {
    if (row.env === undefined) continue;
    const known = settings.get(row.env);
    if (known !== undefined && !hasSameMeaning(known, { name, row })) {
      throw new Error(`${row.env} means one thing to ${known.readBy.join(", ")} and another to '${app} ${command}'`);
    }
    // A row without a flag lends its name to nothing, and what one command can do without is required all the same.
    const isLesser = row.flag === false || (known?.row.required === true && row.required !== true);
    const shown = known !== undefined && isLesser ? known : { name, row };
    settings.set(row.env, {
      variable: row.env,
      name: shown.name,
      row: shown.row,
      group: shown.row.group ?? "Backup",
      readBy: [...new Set([...(known?.readBy ?? []), app])].sort(),
    });
  }
  const rank = (group: string): number => (GROUPS.includes(group) ? GROUPS.indexOf(group) : GROUPS.length);
  // Stable: within a group the order of the tables.
  return [...settings.values()].sort((a, b) => rank(a.group) - rank(b.group));
}

export interface DescribedOption {
  readonly app: string;
  readonly command: string;
  readonly name: string;
  readonly row: OptionRow;
}

/** Every option of every command. */
export function optionsOf(apps: readonly AppDescription[]): DescribedOption[] {
  return apps.flatMap((app) =>
    app.commands.flatMap((command) =>
      Object.entries(command.options).map(([name, row]) => ({ app: app.name, command: command.name, name, row })),
    ),
  );
}

type NamedRow = Pick<Setting, "name" | "row">;

/** Where one of them has no flag, because its command uses that flag for something else, the names may differ. */
function hasSameMeaning(a: NamedRow, b: NamedRow): boolean {
  const isSameName = a.name === b.name || a.row.flag === false || b.row.flag === false;
  return isSameName && isDeepStrictEqual(meaningOf(a.row), meaningOf(b.row));
}

/** What must agree; help and grouping may be said differently. */
function meaningOf(row: OptionRow): unknown {
  const {
    help: _help,
    group: _group,
    example: _example,
    placeholder: _placeholder,
    required: _required,
    unset: _unset,
    flag: _flag,
    ...meaning
  } = row;
  return meaning;
}
