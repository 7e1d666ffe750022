import type { EnvFile } from "./env-file.ts";
import type { OptionTable } from "./option-table.ts";
import { editDistance } from "./suggest.ts";

export interface Misspelt {
  readonly name: string;
  readonly meant: string;
  /** A sentence, with a blank behind it. */
  readonly description: string;
}

/**
 * Variables of the env file that no option has and that look like one which is not set, or are another program's word for it:
 * nothing else would ever tell that they have no effect. Names of other commands' options are not like these by so little.
 */
export function misspelt(table: OptionTable, envFile: EnvFile | undefined): Misspelt[] {
  const known = Object.values(table).flatMap(({ env }) => env ?? []);
  const unset = known.filter((name) => envFile?.entries.has(name) !== true);
  return [...(envFile?.entries ?? [])].flatMap(([name, { line }]) => {
    if (known.includes(name)) return [];
    const meant =
      unset.find((candidate) => isNear(name, candidate)) ?? unset.find((candidate) => isLike(name, candidate));
    if (meant === undefined) return [];
    return [{ name, meant, description: `Did you mean ${meant} by ${name} (${envFile?.path} line ${line})? ` }];
  });
}

function isNear(name: string, candidate: string): boolean {
  // Those of libpq are short, and there are many.
  const most = name.includes("_") ? 2 : 1;
  return editDistance(name.toUpperCase(), candidate) <= most;
}

/** Whose variable it is, as programs that store in S3 have it. */
const OWNERS: ReadonlySet<string> = new Set(["AWS", "S3", "MINIO", "BACKUP", "SOAR"]);
/** What some programs say and others leave out. */
const FILLERS: ReadonlySet<string> = new Set(["ACCESS", "DEFAULT", "ID", "NAME", "URL"]);

/** Whether two names say the same but for their owner and fillers: `S3_ENDPOINT` and `AWS_ENDPOINT_URL`. */
function isLike(name: string, candidate: string): boolean {
  const [said, meant] = [essenceOf(name.toUpperCase()), essenceOf(candidate)];
  return said !== undefined && said === meant;
}

/** Undefined for a name that is not one of an owner's. */
function essenceOf(name: string): string | undefined {
  const [owner = "", ...words] = name.split("_");
  if (!OWNERS.has(owner)) return undefined;
  const essence = words.filter((word) => !OWNERS.has(word) && !FILLERS.has(word)).join("_");
  return essence === "" ? undefined : essence;
}
