import { join } from "node:path";
import { namesIfPresent, systemErrorCode } from "@soar/durable-files";
import { SoarError } from "@soar/errors";
import { complaintOf, runIfPresent } from "@soar/programs";

/** The programs of one PostgreSQL installation. */
export interface PostgresPrograms {
  readonly major: number;
  /** For example `15.20`. */
  readonly version: string;
  readonly binDir: string;
  /** Names of everything in `binDir`. */
  readonly names: ReadonlySet<string>;
}

export interface FindProgramsOptions {
  /** A data directory can only be run by its own major. */
  readonly major: number;
  /** Take those of a newer major where its own are not installed: client programs talk to older servers, too. */
  readonly orNewer?: boolean;
  /** Directories to look into first, for example the bin directory that the running server reported. */
  readonly searchPaths?: readonly string[];
  /** Programs that must be there; `postgres` unless said otherwise. */
  readonly required?: readonly string[];
}

/** How many majors a newer program is looked for. */
const NEWER_MAJORS = 10;

/** A program that tells its version does so at once. */
const PATIENCE_MS = 30_000;

/**
 * Finds the programs of a major: in the given directories, then where Debian (`/usr/lib/postgresql/N/bin`) and RPM
 * packages (`/usr/pgsql-N/bin`) put them, then in the usual directories. The major is what a program says of itself,
 * not what its path claims. Rejects with `SERVER_VERSION` where only those of other majors are found, and with
 * `PROGRAM_MISSING` where none are, or none that run.
 */
export async function findPostgresPrograms(options: FindProgramsOptions): Promise<PostgresPrograms> {
  const { major, orNewer = false, searchPaths = [], required = ["postgres"] } = options;
  const majors = orNewer ? Array.from({ length: NEWER_MAJORS + 1 }, (_, newer) => major + newer) : [major];
  const packaged = majors.flatMap((one) => [`/usr/lib/postgresql/${one}/bin`, `/usr/pgsql-${one}/bin`]);
  const places = [...searchPaths, ...packaged, "/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"];
  const [seen, broken]: [string[], string[]] = [[], []];
  for (const binDir of new Set(places)) {
    const found = await describe(binDir, required);
    if (found === undefined) continue;
    if ("complaint" in found) broken.push(`${binDir} has one that does not run: ${found.complaint}`);
    else if (found.major === major || (orNewer && found.major > major)) return found;
    else seen.push(`${binDir} has ${found.version}`);
  }
  const facts = [...seen, ...broken];
  const fact = facts.length === 0 ? "none is installed where it was looked for" : facts.join(", ");
  throw new SoarError(
    seen.length === 0 ? "PROGRAM_MISSING" : "SERVER_VERSION",
    `unable to find ${required.join(", ")} of PostgreSQL ${major}${orNewer ? " or newer" : ""}: ${fact}`,
    {
      hint: `Install PostgreSQL ${major} (Debian: "apt install postgresql-${major}"), or name the directory of its programs.`,
    },
  );
}

async function describe(
  binDir: string,
  required: readonly string[],
): Promise<PostgresPrograms | { readonly complaint: string } | undefined> {
  const names = new Set(await list(binDir));
  const [first] = required;
  if (first === undefined || !required.every((name) => names.has(name))) return undefined;
  const options = { env: { LC_ALL: "C" }, timeoutMs: PATIENCE_MS };
  const result = await runIfPresent(join(binDir, first), ["--version"], options);
  if (result !== undefined && result.status !== 0) return { complaint: complaintOf(result) };
  const version = /\b(\d+)(?:\.\d+|[a-z]+\d*)/.exec(result?.stdout ?? "");
  return version === null ? undefined : { major: Number(version[1]), version: version[0], binDir, names };
}

async function list(directory: string): Promise<string[]> {
  try {
    return (await namesIfPresent(directory)) ?? [];
  } catch (error) {
    /* v8 ignore next -- root, who may run the tests, can read every directory */
    if (systemErrorCode(error) === "EACCES") return [];
    throw error;
  }
}
