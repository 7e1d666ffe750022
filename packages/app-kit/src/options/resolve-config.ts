import { isSoarError, SoarError, type ErrorCode } from "@soar/errors";
import type { EnvFile } from "./env-file.ts";
import { ValueProblem } from "../screen/measures.ts";
import {
  configKeyOf,
  defaultText,
  optionLabel,
  type OptionRow,
  type OptionTable,
  type OptionValue,
} from "./option-table.ts";
import { misspelt } from "./misspelt.ts";
import { parseOptionValue } from "./option-value.ts";

/** Values of flags as they were typed, by option name; several of a flag that was repeated. */
export type Flags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** Where values come from, the strongest first: flag, process environment, env file, default. */
export interface ConfigSources {
  readonly flags: Flags;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly envFile?: EnvFile | undefined;
}

/** Where one value came from. */
export interface Origin {
  readonly kind: "flag" | "environment" | "env-file" | "default" | "unset";
  /** In words: `--bucket`, `environment`, `/etc/soar/backup-env line 3`. */
  readonly description: string;
  /** As it was written; undefined when unset. */
  readonly text: string | undefined;
}

export interface ResolvedConfig {
  /** By config key; the shape of `Config<T>` once there are no problems. */
  readonly values: Readonly<Record<string, OptionValue>>;
  /** By option name. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** Everything that is wrong, not only the first thing. */
  readonly problems: readonly SoarError[];
}

/** Resolves every row of the table. Never throws for a wrong value: `problems` has it, so that `--print-config` can show the rest. */
export function resolveConfig(table: OptionTable, sources: ConfigSources): ResolvedConfig {
  const values: Record<string, OptionValue> = {};
  const origins = new Map<string, Origin>();
  const problems: SoarError[] = [];
  // Times last: they are read in the zone that another row gives.
  const rows = Object.entries(table).sort(([, a], [, b]) => Number(a.type === "time") - Number(b.type === "time"));
  for (const [name, row] of rows) {
    const origin = findOrigin(name, row, sources);
    origins.set(name, origin);
    const key = configKeyOf(name, row);
    values[key] = row.type === "list" ? [] : undefined;
    try {
      const parsed = parseFrom(row, origin, zoneFor(row, table, values));
      if (parsed !== undefined) values[key] = parsed;
      else if (row.required === true) problems.push(missing(name, row, sources, table));
    } catch (error) {
      problems.push(describe(error, name, { row, origin }));
    }
  }
  return { values, origins, problems };
}

/** Throws one error that names every problem: what is wrong is repaired in one go, not in as many runs. */
export function requireNoProblems(problems: readonly SoarError[]): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  if (others.length === 0) throw first;
  const code: ErrorCode = problems.every((problem) => problem.code === "USAGE") ? "USAGE" : "CONFIG_INVALID";
  throw new SoarError(code, `unable to use the configuration: ${problems.map(({ message }) => message).join("; ")}`, {
    hint: [...new Set(problems.flatMap(({ hint }) => (hint === undefined ? [] : [hint])))].join(" "),
  });
}

function findOrigin(name: string, row: OptionRow, { flags, environment, envFile }: ConfigSources): Origin {
  const flag = flags[name];
  if (flag !== undefined)
    return { kind: "flag", description: `--${name}`, text: typeof flag === "object" ? flag.join(",") : String(flag) };
  if (row.env !== undefined) {
    // An empty variable counts as not set, as libpq and the AWS tools have it.
    const variable = environment[row.env];
    if (variable !== undefined && variable !== "")
      return { kind: "environment", description: "environment", text: variable };
    const entry = envFile?.entries.get(row.env);
    if (envFile !== undefined && entry !== undefined && entry.value !== "") {
      return { kind: "env-file", description: `${envFile.path} line ${entry.line}`, text: entry.value };
    }
  }
  const text = defaultText(row);
  return text === undefined
    ? { kind: "unset", description: "not set", text }
    : { kind: "default", description: "default", text };
}

function parseFrom(row: OptionRow, origin: Origin, zone: string | undefined): OptionValue {
  if (origin.text === undefined) return undefined;
  if (row.type === "list" && origin.kind === "default" && origin.text === "") return [];
  return parseOptionValue(row, origin.text, zone);
}

function zoneFor(
  row: OptionRow,
  table: OptionTable,
  values: Readonly<Record<string, OptionValue>>,
): string | undefined {
  if (row.type !== "time" || row.zoneFrom === undefined) return undefined;
  const zoneRow = table[row.zoneFrom];
  const zone = zoneRow === undefined ? undefined : values[configKeyOf(row.zoneFrom, zoneRow)];
  return typeof zone === "string" ? zone : undefined;
}

function missing(name: string, row: OptionRow, { envFile }: ConfigSources, table: OptionTable): SoarError {
  const label = row.env ?? `--${name}`;
  const variableAdvice = `Set ${row.env} in ${envFile?.path ?? "/etc/soar/backup-env"}`;
  const advice =
    row.env === undefined
      ? `Give --${name}`
      : row.flag === false
        ? variableAdvice
        : `${variableAdvice} or give --${name}`;
  return new SoarError(
    row.env === undefined ? "USAGE" : "CONFIG_INVALID",
    `unable to do without ${label}: it is not set`,
    {
      hint: `${misspelt(table, envFile).find(({ meant }) => meant === row.env)?.description ?? ""}${advice}. ${row.help}`,
    },
  );
}

/** Says for which option, and from where, a value was refused. A secret value is not repeated. */
function describe(error: unknown, name: string, from: { readonly row: OptionRow; readonly origin: Origin }): SoarError {
  const { row, origin } = from;
  const label = origin.kind === "flag" ? `--${name}` : (row.env ?? optionLabel(name, row));
  const where = origin.kind === "env-file" ? `${label} (${origin.description})` : label;
  if (error instanceof ValueProblem) {
    const value = row.secret === true ? "the value" : `'${origin.text}'`;
    const code = origin.kind === "flag" ? "USAGE" : "CONFIG_INVALID";
    return new SoarError(code, `unable to use ${value} for ${where}: ${error.message}`, {
      hint: error.hint ?? row.help,
      cause: error,
    });
  }
  if (isSoarError(error))
    return new SoarError(error.code, `${error.message} (${where})`, { hint: error.hint, cause: error });
  throw error;
}
