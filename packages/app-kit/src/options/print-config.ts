import { HIDDEN } from "@soar/errors";
import type { EnvFile } from "./env-file.ts";
import { optionLabel, type OptionTable } from "./option-table.ts";
import type { ResolvedConfig } from "./resolve-config.ts";
import { formatTable } from "../screen/table.ts";

/** One setting with where it comes from, for `--print-config`. */
export interface PrintedSetting {
  readonly option: string;
  readonly variable: string | undefined;
  /** As it was written; `[hidden]` for a secret, undefined when unset. */
  readonly value: string | undefined;
  readonly source: string;
}

/** Options of the run itself, which are no settings. */
const NOT_SETTINGS = new Set(["help", "version", "print-config"]);

export function printedSettings(table: OptionTable, resolved: ResolvedConfig): PrintedSetting[] {
  return Object.entries(table).flatMap(([name, row]) => {
    const origin = resolved.origins.get(name);
    if (origin === undefined || NOT_SETTINGS.has(name)) return [];
    const value = row.secret === true && origin.text !== undefined ? HIDDEN : withoutPassword(origin.text);
    return [{ option: optionLabel(name, row), variable: row.env, value, source: origin.description }];
  });
}

export function formatSettings(settings: readonly PrintedSetting[], options: { readonly width: number }): string {
  const columns = [
    { header: "OPTION" },
    { header: "VARIABLE" },
    { header: "VALUE", canShrink: true },
    { header: "FROM", canShrink: true },
  ];
  const rows = settings.map(({ option, variable, value, source }) => [
    option.startsWith("--") ? option : "",
    variable ?? "",
    value ?? "-",
    source,
  ]);
  return formatTable(columns, rows, options);
}

/** Variables of the env file that this command does not read: another command's, or misspelt ones. */
export function unreadVariables(table: OptionTable, envFile: EnvFile | undefined): string[] {
  const known = new Set(Object.values(table).map(({ env }) => env));
  return [...(envFile?.entries.keys() ?? [])].filter((name) => !known.has(name));
}

/** A proxy's address may hold user and password. */
function withoutPassword(text: string | undefined): string | undefined {
  return text?.replace(/\/\/[^/@\s]+@/, `//${HIDDEN}@`);
}
