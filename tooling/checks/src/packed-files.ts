import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import type { Finding } from "./check.ts";
import type { InstalledPackage, PackedInstallation } from "./packed-installation.ts";

/** publint's judgement, plus: no test and no fixture of one is published, no range is left that only this workspace understands. */
export async function checkFiles({ packages }: PackedInstallation): Promise<Finding[]> {
  return (await Promise.all(packages.map(checkPackage))).flat();
}

async function checkPackage(installed: InstalledPackage): Promise<Finding[]> {
  const path = `${installed.source}/package.json`;
  const manifest = await readFile(join(installed.folder, "package.json"), "utf8");
  const { messages, pkg } = await publint({ pkgDir: installed.folder, pack: false, strict: true });
  const files = await publishedFiles(installed.folder);
  const unresolved = manifest.match(/"(workspace|catalog):[^"]*"/g) ?? [];
  return [
    ...messages.map((message) => ({
      path,
      message: `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`,
    })),
    ...files
      .filter((file) => /\.(test|bench|fixture)\./.test(file))
      .map((file) => ({ path, message: `the tarball holds the test '${file}'` })),
    ...unresolved.map((range) => ({ path, message: `the tarball still depends on ${range}` })),
    ...(files.some((file) => file.startsWith("dist/"))
      ? []
      : [{ path, message: "the tarball has no dist: was it built?" }]),
    ...(files.includes("LICENSE") ? [] : [{ path, message: "the tarball has no LICENSE" }]),
  ];
}

/** Paths relative to the package, its dependencies left out. */
export async function publishedFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes(join(folder, "node_modules")))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
