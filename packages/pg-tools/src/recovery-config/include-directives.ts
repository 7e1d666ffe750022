import { dirname, resolve } from "node:path";
import { type AccessToken, accessTokens } from "./access-tokens.ts";

/** Directives of postgresql.conf. */
const INCLUDE =
  /^(?<words>[ \t]*include(?<kind>_if_exists|_dir)?[ \t]*=?[ \t]*)(?:'(?<single>[^'\n]*)'|"(?<double>[^"\n]*)"|(?<bare>[^\s'"#]+))/gim;

/** Whether a configuration file holds settings, or is pg_hba.conf, pg_ident.conf or what these name. */
export type ConfigForm = "settings" | "access";

/** How deep the server follows what files name (CONF_FILE_MAX_DEPTH of conffiles.h): those that it starts with have depth 0. */
export const INCLUDE_DEPTH = 10;

/** What a configuration file names, to be read in its place. */
export interface IncludeDirective {
  /** A directory stands for the files in it whose names end in `.conf`; a list for its tokens, as `@users.txt` of an access file. */
  readonly kind: "file" | "file-if-there" | "directory" | "list";
  /** As it is written. */
  readonly name: string;
  /** Absolute. */
  readonly target: string;
}

/** The directives of the configuration file that lies at this path. */
export function includesOf(text: string, path: string, form: ConfigForm): IncludeDirective[] {
  if (form === "access") return accessDirectives(text, path).map(({ directive }) => directive);
  return Array.from(text.matchAll(INCLUDE), ({ groups }) => directiveOf(groups, path));
}

/** The text with other targets, absolute ones, where `redirect` gives any. */
export function redirectIncludes(
  text: string,
  path: string,
  form: ConfigForm,
  redirect: (directive: IncludeDirective) => string | undefined,
): string {
  if (form === "access") return redirectAccess(text, path, redirect);
  return text.replaceAll(INCLUDE, (line: string, ...rest: unknown[]) => {
    const groups = rest.at(-1) as Readonly<Record<string, string | undefined>>;
    const target = redirect(directiveOf(groups, path));
    const quote = groups["double"] === undefined ? "'" : '"';
    return target === undefined ? line : `${String(groups["words"])}${quote}${target}${quote}`;
  });
}

function redirectAccess(
  text: string,
  path: string,
  redirect: (directive: IncludeDirective) => string | undefined,
): string {
  const pieces: string[] = [];
  let done = 0;
  for (const { directive, start, end } of accessDirectives(text, path)) {
    const target = redirect(directive)?.replaceAll('"', '""');
    if (target === undefined) continue;
    pieces.push(text.slice(done, start), `${directive.kind === "list" ? "@" : ""}"${target}"`);
    done = end;
  }
  return [...pieces, text.slice(done)].join("");
}

interface AccessDirective {
  readonly directive: IncludeDirective;
  /** Of its target in the text. */
  readonly start: number;
  readonly end: number;
}

const ACCESS_INCLUDES: Readonly<Record<string, IncludeDirective["kind"]>> = {
  include: "file",
  include_dir: "directory",
  include_if_exists: "file-if-there",
};

/** Of one file; what a backup's files name is held in memory, and may be anything. */
const MAX_DIRECTIVES = 10_000;

/** Lines of an include and its target (tokenize_auth_file), and lists in any field (next_field_expand): an `@` alone, or in quotes, is a name. */
function accessDirectives(text: string, path: string): AccessDirective[] {
  const found: AccessDirective[] = [];
  let line: AccessToken[] = [];
  const takeLine = (): void => {
    const [first, second] = line;
    const include = line.length === 2 && first !== undefined ? ACCESS_INCLUDES[first.value] : undefined;
    for (const token of line) {
      const isList = !token.isQuoted && token.value.length > 1 && token.value.startsWith("@");
      if (found.length === MAX_DIRECTIVES || !(isList || (include !== undefined && token === second))) continue;
      const kind = include ?? "list";
      const name = include === undefined ? token.value.slice(1) : token.value;
      found.push({
        directive: { kind, name, target: resolve(dirname(path), name) },
        start: token.start,
        end: token.end,
      });
    }
    line = [];
  };
  for (const token of accessTokens(text)) {
    if (line[0] !== undefined && line[0].line !== token.line) takeLine();
    // Of a long line only those that name anything count.
    if (line.length < 3 || token.value.startsWith("@")) line.push(token);
    if (line.length > MAX_DIRECTIVES) break;
  }
  takeLine();
  return found;
}

function directiveOf(groups: Readonly<Record<string, string | undefined>> | undefined, path: string): IncludeDirective {
  // All of them are there: every match names something.
  const found: Readonly<Record<string, string | undefined>> = { ...groups };
  const name = found["single"] ?? found["double"] ?? String(found["bare"]);
  const kind = found["kind"]?.toLowerCase();
  return {
    kind: kind === "_dir" ? "directory" : kind === undefined ? "file" : "file-if-there",
    name,
    target: resolve(dirname(path), name),
  };
}
