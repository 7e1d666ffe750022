import type { Check, Finding } from "./check.ts";
import type { Manifest, Workspace, WorkspacePackage } from "./workspace.ts";

const OLDEST_NODE = ">=24";

/** What a package needs to be published and found: a README, a licence, types, and no dependency by accident. */
export const packageFiles: Check = {
  name: "package files",
  find: (workspace) =>
    workspace.packages.flatMap((owner) =>
      owner.group === "tooling" ? checkTooling(owner) : checkPublished(owner, workspace),
    ),
};

function checkTooling({ folder, manifest, name }: WorkspacePackage): Finding[] {
  const path = `${folder}/package.json`;
  return [
    ...(manifest.private === true ? [] : [{ path, message: "tooling is private" }]),
    ...(name.startsWith("@soar-tooling/") ? [] : [{ path, message: "the name of tooling starts with @soar-tooling/" }]),
    ...versionFindings(path, manifest),
  ];
}

function checkPublished({ folder, group, manifest }: WorkspacePackage, { files }: Workspace): Finding[] {
  const path = `${folder}/package.json`;
  const need = (holds: boolean, message: string): Finding[] => (holds ? [] : [{ path, message }]);
  return [
    ...need(files.has(`${folder}/README.md`), "the package has no README.md"),
    ...need(manifest.private !== true, "the package is private although it is to be published"),
    ...need(
      (manifest.description ?? "") !== "" && manifest.license === "Apache-2.0",
      "description or licence is missing",
    ),
    ...need(manifest.type === "module", 'type is not "module"'),
    ...need(
      manifest.engines?.["node"] === OLDEST_NODE,
      `engines.node is not "${OLDEST_NODE}": zstd of Node 22 accepts truncated input in silence`,
    ),
    ...need(manifest.files?.includes("dist") === true, "files does not list dist"),
    ...need(manifest.publishConfig?.["provenance"] === true, "publishConfig.provenance is not true"),
    ...(group === "packages"
      ? libraryFindings(path, manifest, files.has(`${folder}/tsconfig.build.json`))
      : appFindings(path, manifest)),
    ...versionFindings(path, manifest),
  ];
}

function libraryFindings(path: string, manifest: Manifest, builds: boolean): Finding[] {
  const wildcards = Object.keys(manifest.exports ?? {}).filter((entry) => entry.includes("*"));
  return [
    ...(manifest.sideEffects === false ? [] : [{ path, message: "sideEffects is not false" }]),
    ...(manifest.bin === undefined ? [] : [{ path, message: "a library has no bin" }]),
    ...(builds ? [] : [{ path, message: "tsconfig.build.json is missing" }]),
    ...wildcards.map((entry) => ({ path, message: `the entry '${entry}' makes internal files public` })),
  ];
}

function appFindings(path: string, { bin = {}, dependencies = {} }: Manifest): Finding[] {
  const inBundle = Object.keys(dependencies).filter((name) => name.startsWith("@soar/"));
  return [
    ...(Object.keys(bin).length === 1 ? [] : [{ path, message: "an app has one bin" }]),
    ...inBundle.map((name) => ({ path, message: `${name} is part of the bundle: list it under devDependencies` })),
  ];
}

/** Versions of other people's packages stand in one place, the catalog of pnpm-workspace.yaml. */
function versionFindings(path: string, { dependencies, devDependencies }: Manifest): Finding[] {
  return Object.entries({ ...dependencies, ...devDependencies })
    .filter(([, range]) => !/^(catalog:|workspace:\*$|npm:.+@\d)/.test(range))
    .map(([name, range]) => ({ path, message: `${name} is '${range}': use catalog: or workspace:*` }));
}
