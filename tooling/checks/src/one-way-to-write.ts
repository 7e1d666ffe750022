import type { Check } from "./check.ts";
import type { SourceModule } from "./source-module.ts";

/** The package that knows how, a store whose bytes are files, and the extraction of an archive. */
const WRITES_ITSELF = /^packages\/(?:durable-files|storage\/src\/drivers\/file|seekable-tar\/src\/(?:extract|pool))\//;
const FILE_SYSTEM = /^(?:node:)?fs(?:\/promises)?$/;
/** What gives a finished file its name; the whole module could do it unseen. */
const NAMING: ReadonlySet<string> = new Set(["rename", "renameSync", "link", "linkSync", "*", "default"]);
/** What removes and gives away by a path, which somebody else may lead elsewhere while root follows it. */
const BY_PATH: ReadonlySet<string> = new Set(
  ["rm", "rmdir", "unlink", "chown", "lchown", "mkdtemp", "cp"].flatMap((name) => [name, `${name}Sync`]),
);
/** Names of files that are not finished, beside what is put into a template. */
const TEMPORARY = /(?:\$\{\}|\.soar)[.-](?:new|tmp)$|\.tmp$/;
/** Temporary files of the server's own, which a backup leaves out. */
const SERVER_FILES: ReadonlySet<string> = new Set(["postgresql.auto.conf.tmp", "current_logfiles.tmp"]);
const PROCESS_STAT = /^\/proc\/[^/]+\/stat$/;

/**
 * Files are replaced, created and looked for in one package: the sixteen copies of it had drifted in owner, mode, sync and in
 * whether they follow a link that somebody has planted. The same package removes and gives away, because root does it where
 * somebody else can exchange what a path leads to.
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
  const byPath = imports
    .filter(({ specifier, values }) => FILE_SYSTEM.test(specifier) && values.some((name) => BY_PATH.has(name)))
    .map(({ line, values }) => ({
      line,
      message: `'${values.filter((name) => BY_PATH.has(name)).join(", ")}' of the file system: use removeFile, or removeTree and makeTemporaryDirectory of @soar/durable-files/directories, and name the owner of what is made`,
    }));
  return [
    ...renames,
    ...byPath,
    ...texts.flatMap(({ text, line }) => judge(text).map((message) => ({ line, message }))),
  ];
}

function judge(text: string): string[] {
  if (text === "ENOENT") return ["'ENOENT': use readIfPresent and the like, or meansAbsent, of @soar/durable-files"];
  if (TEMPORARY.test(text) && !SERVER_FILES.has(text))
    return [`'${text}' is a temporary file made by hand: use replaceFile of @soar/durable-files`];
  if (PROCESS_STAT.test(text)) return [`'${text}': use readProcessStat of @soar/durable-files/processes`];
  return [];
}
