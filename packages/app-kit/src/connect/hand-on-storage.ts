import { resolve } from "node:path";
import { configKeyOf, defaultText, type Config, type OptionRow, type OptionValue } from "../options/option-table.ts";
import { parseOptionValue } from "../options/option-value.ts";
import { storageOptions } from "../options/storage-options.ts";

/** What another program of ours needs to reach the same storage in the same way, beside the env file and the keys. */
export interface HandedStorage {
  /** For its command line. */
  readonly words: readonly string[];
  /** Variables for what must not stand in a command line, which everybody can read. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What says nothing to a program that only reads. */
const FOR_WRITERS: ReadonlySet<string> = new Set([
  "retry-deadline",
  "max-parts",
  "payload-signature",
  "storage-class",
  "sse",
  "sse-kms-key-id",
] satisfies (keyof typeof storageOptions)[]);

/**
 * Hands on every setting of storage that has a flag, wherever it came from, unless it is the default. Proxies and keys that
 * only have variables are those of the environment or of the env file, and are not among them.
 *
 * @param use what the other program does with the storage
 */
export function handOnStorage(settings: Config<typeof storageOptions>, use: "reads" | "writes"): HandedStorage {
  const words: string[] = [];
  const environment: Record<string, string> = {};
  for (const [name, row] of Object.entries<OptionRow>(storageOptions)) {
    const value: OptionValue = (settings as Readonly<Record<string, OptionValue>>)[configKeyOf(name, row)];
    if (row.flag === false || value === undefined || isDefault(row, value)) continue;
    if (use === "reads" && FOR_WRITERS.has(name)) continue;
    if (row.env !== undefined && holdsPassword(value)) environment[row.env] = String(value);
    else words.push(...wordsFor(name, row, value));
  }
  return { words, environment };
}

function isDefault(row: OptionRow, value: OptionValue): boolean {
  const text = defaultText(row);
  return text !== undefined && parseOptionValue(row, text) === value;
}

/** A proxy's address may hold user and password. */
function holdsPassword(value: OptionValue): boolean {
  return typeof value === "string" && /^(?:[a-z][a-z0-9+.-]*:\/\/)?[^/\s]*@/i.test(value);
}

function wordsFor(name: string, row: OptionRow, value: OptionValue): string[] {
  if (row.type === "boolean") return [value === true ? `--${name}` : `--no-${name}`];
  if (row.type === "duration") return [`--${name}`, `${String(value)}ms`];
  // The other program may run in another directory.
  return [`--${name}`, name === "ca-file" ? resolve(String(value)) : String(value)];
}
