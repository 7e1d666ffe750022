import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type SourceModule, readModule } from "./source-module.ts";

export type PackageGroup = "packages" | "apps" | "tooling";

/** The parts of a package.json that the checks look at. */
export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly description?: string;
  readonly license?: string;
  readonly private?: boolean;
  readonly type?: string;
  readonly sideEffects?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly publishConfig?: Readonly<Record<string, unknown>>;
}

export interface WorkspacePackage {
  readonly group: PackageGroup;
  /** Relative to the checkout, for example `packages/storage`. */
  readonly folder: string;
  readonly name: string;
  readonly manifest: Manifest;
  readonly modules: readonly SourceModule[];
}

/** A checkout as a value: what the checks judge, and what their tests make up. */
export interface Workspace {
  readonly packages: readonly WorkspacePackage[];
  /** Text of every file that was read, by path relative to the checkout. */
  readonly files: ReadonlyMap<string, string>;
  /** Every file of the checkout, also of those whose text nobody needs. */
  readonly paths: ReadonlySet<string>;
}

const GROUPS: readonly PackageGroup[] = ["packages", "apps", "tooling"];
const GENERATED = new Set(["node_modules", "dist", "coverage", ".turbo", ".git", ".soar"]);
const READ = /\.(ts|mts|js|mjs|json|md|ya?ml)$/;

/** Reads the checkout in `root`. */
export async function loadWorkspace(root: string): Promise<Workspace> {
  const files = new Map<string, string>();
  const paths = new Set<string>();
  const visit = async (folder: string): Promise<void> => {
    const entries = await readdir(join(root, folder), { withFileTypes: true });
    await Promise.all(
      entries.map(async (entry) => {
        const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory() && !GENERATED.has(entry.name)) await visit(path);
        else if (!entry.isDirectory()) paths.add(path);
        if (entry.isFile() && READ.test(entry.name)) files.set(path, await readFile(join(root, path), "utf8"));
      }),
    );
  };
  await visit("");
  return makeWorkspace(files, paths);
}

/** Makes a workspace of file texts; every folder below packages, apps and tooling with a package.json is a package. */
export function makeWorkspace(
  files: ReadonlyMap<string, string>,
  paths: ReadonlySet<string> = new Set(files.keys()),
): Workspace {
  const packages = Array.from(files, ([path, text]) => readPackage(path, text, files)).filter(
    (found) => found !== undefined,
  );
  return { packages: packages.sort((a, b) => (a.folder < b.folder ? -1 : 1)), files, paths };
}

function readPackage(path: string, text: string, files: ReadonlyMap<string, string>): WorkspacePackage | undefined {
  const [group, name, file, ...rest] = path.split("/");
  const known = GROUPS.find((candidate) => candidate === group);
  if (known === undefined || name === undefined || file !== "package.json" || rest.length > 0) return undefined;
  const folder = `${known}/${name}`;
  const manifest = JSON.parse(text) as Manifest;
  const sources = Array.from(files).filter(
    ([source]) => source.startsWith(`${folder}/`) && /\.(ts|mts|js|mjs)$/.test(source),
  );
  const modules = sources.map(([source, code]) => readModule(source, code)).sort((a, b) => (a.path < b.path ? -1 : 1));
  return { group: known, folder, name: manifest.name ?? folder, manifest, modules };
}
