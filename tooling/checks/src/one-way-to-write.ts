import type { Check } from "./check.ts";
import type { SourceModule } from "./source-module.ts";

/** The package that knows how, a store whose bytes are files, and the extraction of an archive. */
const WRITES_ITSELF = /^packages\/(?:durable-files|storage\/src\/drivers\/file|seekable-tar\/src\/extract)\//;
const FILE_SYSTEM = /^(?:node:)?fs(?:\/promises)?$/;
/** What gives a finished file its name; the whole module could do it unseen. */
const NAMING: ReadonlySet<string> = new Set(["rename", "renameSync", "link", "linkSync", "*", "default"]);
/** Names of files that are not finished, beside what is put into a template. */
const TEMPORARY = /(?:\$\{\}|\.soar)[.-](?:new|tmp)$|\.tmp$/;
const PROCESS_STAT = /^\/proc\/[^/]+\/stat$/;

/**
 * Files are replaced, created and looked for in one package: the sixteen copies of it had drifted in owner, mode, sync and in
 * whether they follow a link that somebody has planted.
 */
export const oneWayToWrite: Check = {
  name: "files are written by durable-files",
  find: ({ packages }) =>
    packages
      .filter(({ group }) => group !== "tooling")
      .flatMap(({ modules }) => modules)
      .filter(({ path, isTest }) => !isTest && !WRITES_ITSELF.test(path))
      .flatMap((module) => problemsOf(module).map((problem) => ({ path: module.path, ...problem }))),
};

function problemsOf({ imports, texts }: SourceModule): { readonly line: number; readonly message: string }[] {
  const renames = imports
    .filter(({ specifier, values }) => FILE_SYSTEM.test(specifier) && values.some((name) => NAMING.has(name)))
    .map(({ line, values }) => ({
      line,
      message: `'${values.filter((name) => NAMING.has(name)).join(", ")}' of the file system: use replaceFile, writeNew or moveEntry of @soar/durable-files`,
    }));
  return [...renames, ...texts.flatMap(({ text, line }) => judge(text).map((message) => ({ line, message })))];
}

function judge(text: string): string[] {
  if (text === "ENOENT") return ["'ENOENT': use readIfPresent and the like, or meansAbsent, of @soar/durable-files"];
  if (TEMPORARY.test(text))
    return [`'${text}' is a temporary file made by hand: use replaceFile of @soar/durable-files`];
  if (PROCESS_STAT.test(text)) return [`'${text}': use readProcessStat of @soar/durable-files`];
  return [];
}
