import { resolve } from "node:path";
import { statIfPresent } from "@soar/durable-files";

export interface PreloadLibraries {
  readonly present: readonly string[];
  readonly missing: readonly string[];
}

/** Where packages keep modules, from the directory of the programs: Debian and RPM, and a build with one prefix. */
const LIBRARY_DIRECTORIES = ["../lib", "../lib/postgresql"];

/** Which of the source's preloaded libraries this host has: a server does not start with one that it cannot find. */
export async function findPreloadLibraries(setting: string, binDir: string): Promise<PreloadLibraries> {
  const names = setting
    .split(",")
    .map((name) => name.trim().replace(/^"(.*)"$/, "$1"))
    .filter((name) => name !== "");
  const found = await Promise.all(names.map((name) => hasLibrary(name, binDir)));
  return { present: names.filter((_, at) => found[at]), missing: names.filter((_, at) => !found[at]) };
}

async function hasLibrary(name: string, binDir: string): Promise<boolean> {
  const relative = name.replace(/^\$libdir\//, "");
  for (const directory of LIBRARY_DIRECTORIES) {
    // An absolute name stays what it is.
    const path = resolve(binDir, directory, relative);
    for (const file of [path, `${path}.so`]) if ((await statIfPresent(file)) !== undefined) return true;
  }
  return false;
}
