/**
 * One row per option. Flag, variable, parsing, help, `--print-config`, completion, `docs/configuration.md` and
 * `docs/backup-env.example` all come from it. The key of a row is its flag without the dashes (`retention-days`); the
 * field in the config object is the same in camel case, with the unit behind it where the type has one
 * (`tail-interval`, a duration, becomes `tailIntervalMs`; `rate-limit`, a size, `rateLimitBytes`; `target-time`, a
 * time, `targetTimeMicros`).
 */
export type OptionTable = Readonly<Record<string, OptionRow>>;

export type OptionRow =
  | StringRow
  | UrlRow
  | BooleanRow
  | IntegerRow
  | DurationRow
  | SizeRow
  | ChoiceRow
  | ListRow
  | TimeRow;

interface CommonRow {
  /** Variable of the environment and of the env file. Without one the option exists on the command line only. */
  readonly env?: string;
  /** `false`: there is no flag, only the variable. */
  readonly flag?: false;
  /** One letter: `-j`. */
  readonly short?: string;
  /** A secret is never printed and, having no flag, never visible in `ps`. */
  readonly secret?: true;
  /** A run without a value fails with `CONFIG_INVALID` (or `USAGE` where only a flag could have given it). */
  readonly required?: true;
  /** A sentence or two for `--help` and the documentation. */
  readonly help: string;
  /** What happens without a value, in a few words, where there is no default: `the socket directory`. */
  readonly unset?: string;
  /** Heading in `--help`; rows without one stand under "Options". */
  readonly group?: string;
  /** Word for the value in `--help`, for example `DIR`. */
  readonly placeholder?: string;
  /** A value for `backup-env.example` where there is no default. */
  readonly example?: string;
}

interface StringRow extends CommonRow {
  readonly type: "string";
  readonly default?: string;
}

/** Kept as text, because `s3://bucket/prefix` is not a URL that should be normalised; checked for its scheme. */
interface UrlRow extends CommonRow {
  readonly type: "url";
  /** Schemes that are allowed, without the colon. */
  readonly schemes: readonly string[];
  readonly default?: string;
}

/**
 * `--x` and `--no-x`; as a variable on/off, true/false, yes/no, 1/0. Help shows the form that changes something, so the
 * `help` of a row that is on by default says what `--no-x` does.
 */
interface BooleanRow extends CommonRow {
  readonly type: "boolean";
  readonly default?: boolean;
}

interface IntegerRow extends CommonRow {
  readonly type: "integer";
  readonly min?: number;
  readonly max?: number;
  readonly default?: number;
}

/** Written with a unit (`500ms`, `1s`, `5min`, `2h`, `30d`, `1h30min`); milliseconds in the config. */
interface DurationRow extends CommonRow {
  readonly type: "duration";
  /** In milliseconds. */
  readonly min?: number;
  /** In milliseconds. */
  readonly max?: number;
  /** Also takes the word `off`, which then is the value. */
  readonly allowOff?: true;
  /** As it would be written. */
  readonly default?: string;
}

/** Written with a unit (`512B`, `50MB` of a million bytes each, `50MiB` of 2^20); bytes in the config. */
interface SizeRow extends CommonRow {
  readonly type: "size";
  /** In bytes. */
  readonly min?: number;
  /** In bytes. */
  readonly max?: number;
  /** Also takes the word `off`, which then is the value. */
  readonly allowOff?: true;
  /** As it would be written. */
  readonly default?: string;
}

interface ChoiceRow extends CommonRow {
  readonly type: "choice";
  readonly choices: readonly string[];
  readonly default?: string;
}

/** The flag may be repeated, and every value may hold several, separated by commas. Never undefined, at least empty. */
interface ListRow extends CommonRow {
  readonly type: "list";
  readonly choices?: readonly string[];
  readonly default?: readonly string[];
}

/** An instant as `parseInstant` reads it; microseconds since 1970 in the config, as a bigint. */
interface TimeRow extends CommonRow {
  readonly type: "time";
  /** Name of the row that holds the time zone for values without an offset; without it the machine's zone. */
  readonly zoneFrom?: string;
}

/** What a value can be after parsing. */
export type OptionValue = string | number | boolean | bigint | readonly string[] | undefined;

/** The parsed values of a table, typed by it. */
export type Config<T extends OptionTable> = {
  readonly [K in keyof T & string as ConfigKey<K, T[K]>]:
    | ValueOf<T[K]>
    | (IsPresent<T[K]> extends true ? never : undefined);
};

export type ConfigKey<K extends string, R> = `${CamelCase<K>}${UnitOf<R>}`;

type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

type UnitOf<R> = R extends { type: "duration" }
  ? "Ms"
  : R extends { type: "size" }
    ? "Bytes"
    : R extends { type: "time" }
      ? "Micros"
      : "";

type IsPresent<R> = R extends { required: true } | { default: unknown } | { type: "list" } ? true : false;

type ValueOf<R> = R extends { type: "boolean" }
  ? boolean
  : R extends { type: "integer" }
    ? number
    : R extends { type: "duration" | "size" }
      ? number | (R extends { allowOff: true } ? "off" : never)
      : R extends { type: "time" }
        ? bigint
        : R extends { choices: readonly (infer C)[] }
          ? R extends { type: "list" }
            ? readonly C[]
            : C
          : R extends { type: "list" }
            ? readonly string[]
            : string;

const UNITS: Partial<Record<OptionRow["type"], string>> = { duration: "Ms", size: "Bytes", time: "Micros" };

/** The field of the config object that belongs to a row. */
export function configKeyOf(name: string, row: OptionRow): string {
  const camelCase = name.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  return camelCase + (UNITS[row.type] ?? "");
}

/** How an option is named in messages: by its flag, or by its variable where it has none. */
export function optionLabel(name: string, row: OptionRow): string {
  return row.flag === false ? (row.env ?? name) : `--${name}`;
}

/** The default as it would be written in the env file, or undefined. */
export function defaultText(row: OptionRow): string | undefined {
  if (!("default" in row) || row.default === undefined) return undefined;
  if (typeof row.default === "boolean") return row.default ? "on" : "off";
  return Array.isArray(row.default) ? row.default.join(",") : String(row.default);
}
