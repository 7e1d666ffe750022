import type { Check, Finding } from "./check.ts";
import type { Workspace } from "./workspace.ts";

const TABLE = "packages/pg-tools/src/majors/supported-majors.ts";
const SAID = /(?:PostgreSQL|[Vv]ersions) (\d\d) to (\d\d)\b/g;

/** Documents say the versions of PostgreSQL that the table of majors has; code does not say them at all. */
export const supportedVersions: Check = {
  name: "supported versions of PostgreSQL",
  find: ({ files }) => {
    const majors = Array.from((files.get(TABLE) ?? "").matchAll(/^ {4}major: (\d+),$/gm), ([, major]) => Number(major));
    if (majors.length === 0) return [];
    const supported = `${Math.min(...majors)} to ${Math.max(...majors)}`;
    return [...documentFindings(files, supported), ...sourceFindings(files)];
  },
};

function documentFindings(files: Workspace["files"], supported: string): Finding[] {
  return Array.from(files)
    .filter(([path]) => /(^|\/)(?!CHANGELOG)[^/]+\.md$/.test(path))
    .flatMap(([path, text]) =>
      sayings(text)
        .filter(({ versions }) => versions !== supported)
        .map(({ line, versions }) => ({
          path,
          line,
          message: `'${versions}' are not the versions of ${TABLE}, which are ${supported}`,
        })),
    );
}

function sourceFindings(files: Workspace["files"]): Finding[] {
  return Array.from(files)
    .filter(([path]) => /^(packages|apps)\/[^/]+\/src\/.*(?<!\.test)\.ts$/.test(path))
    .flatMap(([path, text]) =>
      sayings(text).map(({ line, versions }) => ({
        path,
        line,
        message: `'${versions}' goes out of date with the next major: take SUPPORTED_VERSIONS of @soar/pg-tools`,
      })),
    );
}

function sayings(text: string): { readonly line: number; readonly versions: string }[] {
  return Array.from(text.matchAll(SAID), (match) => ({
    line: text.slice(0, match.index).split("\n").length,
    versions: `${match[1]} to ${match[2]}`,
  }));
}
