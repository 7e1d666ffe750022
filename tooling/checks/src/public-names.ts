import { posix } from "node:path";
import type { Check, Finding } from "./check.ts";
import type { Workspace, WorkspacePackage } from "./workspace.ts";

export const SNAPSHOT_PATH = "tooling/checks/public-api.json";

/** Package -> entry -> sorted names; a type is written `type Name`. */
export type PublicApi = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** An entry with more names is several: "some 40" as the house counts, with room for the next few. */
const MOST_NAMES = 45;

/** Every public name is in the snapshot, so that a change of what users can import shows in a review. */
export const publicNames: Check = {
  name: "public names",
  find(workspace) {
    const text = workspace.files.get(SNAPSHOT_PATH);
    const recorded = text === undefined ? {} : (JSON.parse(text) as PublicApi);
    const actual = readPublicApi(workspace);
    const packages = new Set([...Object.keys(recorded), ...Object.keys(actual)]);
    return [
      ...missingEntries(workspace),
      ...longEntries(actual),
      ...Array.from(packages).flatMap((name) => comparePackage(name, recorded[name] ?? {}, actual[name] ?? {})),
    ];
  },
};

/** What the packages export at present. */
export function readPublicApi(workspace: Workspace): PublicApi {
  const libraries = workspace.packages.filter(({ group }) => group === "packages");
  return Object.fromEntries(libraries.map((library) => [library.name, readEntries(library)]));
}

/** The text of the snapshot file. */
export function formatPublicApi(api: PublicApi): string {
  return `${JSON.stringify(api, null, 2)}\n`;
}

function readEntries(library: WorkspacePackage): Record<string, string[]> {
  const entries = entrySources(library).map(([entry, path]): [string, string[]] => {
    const module = library.modules.find((candidate) => candidate.path === path);
    const names = (module?.exports ?? []).map(({ name, kind }) => (kind === "type" ? `type ${name}` : name));
    return [entry, names.sort((a, b) => bare(a).localeCompare(bare(b), "en"))];
  });
  return Object.fromEntries(entries);
}

/** The source file of each entry, by the `soar-source` condition that the workspace itself resolves with. */
function entrySources({ folder, manifest }: WorkspacePackage): [string, string][] {
  return Object.entries(manifest.exports ?? {}).flatMap(([entry, target]): [string, string][] => {
    const source =
      typeof target === "object" && target !== null && "soar-source" in target ? target["soar-source"] : undefined;
    return typeof source === "string" ? [[entry, posix.join(folder, source)]] : [];
  });
}

function missingEntries({ packages, files }: Workspace): Finding[] {
  const libraries = packages.filter(({ group }) => group === "packages");
  return libraries.flatMap((library) =>
    entrySources(library)
      .filter(([, path]) => !files.has(path))
      .map(([entry, path]) => ({
        path: `${library.folder}/package.json`,
        message: `the entry '${entry}' has no source: ${path}`,
      })),
  );
}

function longEntries(api: PublicApi): Finding[] {
  return Object.entries(api).flatMap(([name, entries]) =>
    Object.entries(entries)
      .filter(([, names]) => names.length > MOST_NAMES)
      .map(([entry, { length }]) => ({
        path: SNAPSHOT_PATH,
        message: `${posix.join(name, entry)} exports ${length} names; give its chapters entries of their own`,
      })),
  );
}

function comparePackage(name: string, recorded: PublicApi[string], actual: PublicApi[string]): Finding[] {
  const entries = new Set([...Object.keys(recorded), ...Object.keys(actual)]);
  return Array.from(entries).flatMap((entry) => {
    const before = new Set(recorded[entry]);
    const now = new Set(actual[entry]);
    const added = Array.from(now.difference(before));
    const removed = Array.from(before.difference(now));
    const specifier = posix.join(name, entry);
    return [
      ...(added.length > 0 ? [`${specifier} now exports ${added.join(", ")}`] : []),
      ...(removed.length > 0 ? [`${specifier} no longer exports ${removed.join(", ")}, which users notice`] : []),
    ].map((message) => ({ path: SNAPSHOT_PATH, message: `${message}; record it with \`pnpm check --write\`` }));
  });
}

function bare(name: string): string {
  return name.replace(/^type /, "");
}
