import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { extract } from "tar";
import type { Manifest, PackageGroup, Workspace, WorkspacePackage } from "./workspace.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** A package as a user gets it: unpacked from its tarball. */
export interface InstalledPackage {
  readonly name: string;
  readonly group: PackageGroup;
  /** Where its sources are, relative to the checkout. */
  readonly source: string;
  /** Where it is installed, absolute. */
  readonly folder: string;
  /** As published, without `workspace:` and `catalog:`. */
  readonly manifest: Manifest;
}

export interface PackedInstallation {
  /** A project that has every package of the workspace installed and nothing else. */
  readonly folder: string;
  readonly packages: readonly InstalledPackage[];
}

/**
 * Packs what is published and lays it out as an install in an empty project would, outside of the workspace, so that
 * only declared dependencies are found. Other people's packages are links to the workspace's copies: no network.
 */
export async function withPackedInstallation<T>(
  workspace: Workspace,
  use: (installation: PackedInstallation) => Promise<T>,
): Promise<T> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "soar-packed-")));
  try {
    const published = workspace.packages.filter(({ group }) => group !== "tooling");
    const packages = await Promise.all(published.map((owner) => installPackage(owner, folder)));
    await linkDependency(ROOT, "@types/node", join(folder, "node_modules"));
    return await use({ folder, packages });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function installPackage(
  { name, group, folder: source }: WorkspacePackage,
  project: string,
): Promise<InstalledPackage> {
  const folder = join(project, "node_modules", name);
  const tarballs = join(project, "tarballs", name);
  await Promise.all([mkdir(folder, { recursive: true }), mkdir(tarballs, { recursive: true })]);
  await run("pnpm", ["pack", "--pack-destination", tarballs], { cwd: join(ROOT, source) });
  const [tarball = ""] = await readdir(tarballs);
  await extract({ file: join(tarballs, tarball), cwd: folder, strip: 1 });
  const manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Manifest;
  const foreign = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter(
    (dependency) => !dependency.startsWith("@soar/"),
  );
  await Promise.all(
    foreign.map((dependency) => linkDependency(join(ROOT, source), dependency, join(folder, "node_modules"))),
  );
  return { name, group, source, folder, manifest };
}

async function linkDependency(owner: string, dependency: string, modules: string): Promise<void> {
  await mkdir(dirname(join(modules, dependency)), { recursive: true });
  const installed = await realpath(join(owner, "node_modules", dependency)).catch(() =>
    realpath(join(ROOT, "node_modules", dependency)),
  );
  await symlink(installed, join(modules, dependency));
}
