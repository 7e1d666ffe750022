import { dirname, isAbsolute, relative, resolve } from "node:path";

/** Directives of postgresql.conf, and from PostgreSQL 16 on of the access files, which quote with other signs. */
const INCLUDE =
  /^(?<words>[ \t]*include(?<kind>_if_exists|_dir)?[ \t]*=?[ \t]*)(?:'(?<single>[^'\n]*)'|"(?<double>[^"\n]*)"|(?<bare>[^\s'"#]+))/gim;

/** What a configuration file names, to be read in its place. */
export interface IncludeDirective {
  /** A directory stands for the files in it whose names end in `.conf`. */
  readonly kind: "file" | "file-if-there" | "directory";
  /** As it is written. */
  readonly name: string;
  /** Absolute. */
  readonly target: string;
}

/** The directives of the configuration file that lies at this path. */
export function includesOf(text: string, path: string): IncludeDirective[] {
  return Array.from(text.matchAll(INCLUDE), ({ groups }) => directiveOf(groups, path));
}

/** The text with other targets, absolute ones, where `redirect` gives any. */
export function redirectIncludes(
  text: string,
  path: string,
  redirect: (directive: IncludeDirective) => string | undefined,
): string {
  return text.replaceAll(INCLUDE, (line: string, ...rest: unknown[]) => {
    const groups = rest.at(-1) as Readonly<Record<string, string | undefined>>;
    const target = redirect(directiveOf(groups, path));
    const quote = groups["double"] === undefined ? "'" : '"';
    return target === undefined ? line : `${groups["words"] ?? ""}${quote}${target}${quote}`;
  });
}

function directiveOf(groups: Readonly<Record<string, string | undefined>> = {}, path: string): IncludeDirective {
  const name = groups["single"] ?? groups["double"] ?? groups["bare"] ?? "";
  const kind = groups["kind"]?.toLowerCase();
  return {
    kind: kind === "_dir" ? "directory" : kind === undefined ? "file" : "file-if-there",
    name,
    target: resolve(dirname(path), name),
  };
}

/** Where a path lies below a directory; undefined when it lies elsewhere. */
export function placeBelow(directory: string, path: string): string | undefined {
  const way = relative(directory, path);
  return directory === "" || way === "" || way.startsWith("..") || isAbsolute(way) ? undefined : way;
}
