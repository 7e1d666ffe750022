import { parseInstant } from "../screen/instant.ts";
import { parseDuration, parseSize, ValueProblem } from "../screen/measures.ts";
import type { OptionRow, OptionValue } from "./option-table.ts";
import { didYouMean } from "./suggest.ts";

type RowOf<T extends OptionRow["type"]> = Extract<OptionRow, { type: T }>;

/**
 * Reads one value as its row says. Throws a `ValueProblem` that states a fact about the value, or `TARGET_INVALID` for
 * a time. `zone` is the time zone of a time without an offset.
 */
export function parseOptionValue(row: OptionRow, text: string, zone?: string): OptionValue {
  if (text === "") throw new ValueProblem("it is empty");
  switch (row.type) {
    case "string":
      return text;
    case "url":
      return parseUrl(row, text);
    case "boolean":
      return parseBoolean(text);
    case "integer":
      return parseInteger(row, text);
    case "duration":
      return row.allowOff === true && text === "off" ? "off" : inRange(row, parseDuration(text), text);
    case "size":
      return row.allowOff === true && text === "off" ? "off" : inRange(row, parseSize(text), text);
    case "choice":
      return parseChoice(row.choices, text);
    case "list":
      return parseList(row, text);
    case "time":
      return parseInstant(text, { zone });
  }
}

function parseUrl(row: RowOf<"url">, text: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined || !row.schemes.includes(scheme) || !URL.canParse(text)) {
    const forms = row.schemes.map((allowed) => (allowed === "memory" ? "memory:" : `${allowed}://`));
    throw new ValueProblem(`it is not a URL that starts with ${forms.join(" or ")}`);
  }
  return text;
}

function parseBoolean(text: string): boolean {
  if (/^(?:on|true|yes|1)$/i.test(text)) return true;
  if (/^(?:off|false|no|0)$/i.test(text)) return false;
  throw new ValueProblem("it is neither on nor off");
}

function parseInteger(row: RowOf<"integer">, text: string): number {
  if (!/^[+-]?\d{1,15}$/.test(text)) throw new ValueProblem("it is not a whole number");
  return inRange(row, Number(text), text);
}

function inRange(
  row: { readonly type: string; readonly min?: number; readonly max?: number },
  value: number,
  text: string,
): number {
  const unit = row.type === "duration" ? " ms" : row.type === "size" ? " bytes" : "";
  if (row.min !== undefined && value < row.min) throw new ValueProblem(`${text} is less than ${row.min}${unit}`);
  if (row.max !== undefined && value > row.max) throw new ValueProblem(`${text} is more than ${row.max}${unit}`);
  return value;
}

function parseChoice(choices: readonly string[], text: string): string {
  if (choices.includes(text)) return text;
  throw new ValueProblem(
    `it is not one of ${choices.join(", ")}`,
    didYouMean(text, choices, `Use one of ${choices.join(", ")}.`),
  );
}

function parseList(row: RowOf<"list">, text: string): string[] {
  const items = text.split(",").map((item) => item.trim());
  if (items.includes("")) throw new ValueProblem("it has an empty item");
  return row.choices === undefined ? items : items.map((item) => parseChoice(row.choices ?? [], item));
}
