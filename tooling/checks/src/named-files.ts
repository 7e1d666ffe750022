import { posix } from "node:path";
import type { Check, Finding } from "./check.ts";
import type { Workspace } from "./workspace.ts";

/** A document, or a test, by its name or its path; what belongs to another project is named by its address. */
const NAMED = /(?<![\w@./:*-])[\w@.-]+(?:\/[\w@.-]+)*\.(?:md|test\.ts)\b/g;
const LINK = /\]\(([^)\s]+)\)/g;
/** Texts that others write. */
const FOREIGN = new Set(["pnpm-lock.yaml"]);

/** Comments, messages and pages send a reader to a document: it has to be there. Pages name tests as proof: so have these. */
export const namedFiles: Check = {
  name: "documents and tests that are named exist",
  find: (workspace) =>
    Array.from(workspace.files)
      .filter(([path]) => !FOREIGN.has(path))
      .flatMap(([path, text]) => [...findNames(workspace, path, text), ...findLinks(workspace, path, text)]),
};

function findNames({ paths }: Workspace, path: string, text: string): Finding[] {
  const isPage = path.endsWith(".md");
  // A test makes files of its own up; what it says about documents stands below docs/.
  const isMadeUp = (name: string): boolean => /\.(?:test|fixture)\.ts$/.test(path) && !name.includes("docs/");
  return matches(text, NAMED)
    .map(({ match: [name], line }) => ({ name: name.replace(/^(?:\.{1,2}\/)+/, ""), line }))
    .filter(({ name }) => (isPage || name.endsWith(".md")) && !isMadeUp(name) && !isThere(paths, name))
    .map(({ name, line }) => ({ path, line, message: `'${name}' is named and does not exist` }));
}

/** Links of a page are exact, down to the heading. */
function findLinks({ paths, files }: Workspace, path: string, text: string): Finding[] {
  if (!path.endsWith(".md")) return [];
  return matches(text, LINK).flatMap(({ match: [, link = ""], line }) => {
    if (/^[a-z]+:/.test(link)) return [];
    const [file = "", heading] = link.split("#");
    const target = file === "" ? path : posix.join(posix.dirname(path), file).replace(/\/$/, "");
    if (!paths.has(target) && !hasFolder(paths, target))
      return [{ path, line, message: `the link '${link}' leads nowhere` }];
    const page = files.get(target);
    if (heading === undefined || page === undefined || headingsOf(page).has(heading)) return [];
    return [{ path, line, message: `the link '${link}' names a heading that is not there` }];
  });
}

function isThere(paths: ReadonlySet<string>, name: string): boolean {
  return paths.has(name) || Array.from(paths).some((path) => path.endsWith(`/${name}`));
}

function hasFolder(paths: ReadonlySet<string>, folder: string): boolean {
  return Array.from(paths).some((path) => path.startsWith(`${folder}/`));
}

/** As GitHub makes anchors of headings. */
function headingsOf(page: string): Set<string> {
  return new Set(
    matches(page, /^#+ +(.+)$/gm).map(({ match: [, heading = ""] }) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

function matches(text: string, pattern: RegExp): { readonly match: RegExpExecArray; readonly line: number }[] {
  return Array.from(text.matchAll(pattern), (match) => ({
    match,
    line: text.slice(0, match.index).split("\n").length,
  }));
}
