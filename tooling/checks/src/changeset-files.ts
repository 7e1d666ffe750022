import type { Check, Finding } from "./check.ts";
import type { Workspace } from "./workspace.ts";

const BUMPS = new Set(["patch", "minor", "major"]);

/** A changeset with a misspelt package would fail only on the day of the release. */
export const changesetFiles: Check = {
  name: "changesets",
  find: (workspace) => {
    const published = new Set(workspace.packages.filter(({ group }) => group !== "tooling").map(({ name }) => name));
    return Array.from(workspace.files)
      .filter(([path]) => /^\.changeset\/(?!README\.md$)[^/]+\.md$/.test(path))
      .flatMap(([path, text]) => checkChangeset(path, text, published));
  },
};

/** Packages of the workspace that no changeset has announced and that were never released. */
export const firstReleases: Check = {
  name: "first releases are announced",
  find: ({ packages, files }: Workspace) => {
    const announced = Array.from(files)
      .filter(([path]) => /^\.changeset\/.+\.md$/.test(path))
      .map(([, text]) => text)
      .join("\n");
    return packages
      .filter(
        ({ group, manifest, name }) =>
          group !== "tooling" && manifest.version === "0.0.0" && !announced.includes(`"${name}"`),
      )
      .map(({ folder, name }) => ({ path: `${folder}/package.json`, message: `no changeset announces ${name}` }));
  },
};

function checkChangeset(path: string, text: string, published: ReadonlySet<string>): Finding[] {
  const [, head, summary] = /^---\n([\s\S]*?)---\n([\s\S]*)$/.exec(text) ?? [];
  if (head === undefined || summary === undefined)
    return [{ path, message: "a changeset begins with the packages between two lines of ---" }];
  const findings: Finding[] =
    summary.trim() === "" ? [{ path, message: "tell the operator what was wrong and what happens now" }] : [];
  const rows = head.split("\n").filter((row) => row.trim() !== "");
  if (rows.length === 0) findings.push({ path, message: "no package is named" });
  for (const row of rows) {
    const [, name = "", bump = ""] = /^["']?([^"':]+)["']?:\s*["']?(\w+)["']?$/.exec(row) ?? [];
    if (!published.has(name)) findings.push({ path, message: `'${row}' names no published package of the workspace` });
    else if (!BUMPS.has(bump)) findings.push({ path, message: `'${bump}' is not patch, minor or major` });
  }
  return findings;
}
