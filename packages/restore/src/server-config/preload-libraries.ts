import { resolve } from "node:path";
import { statIfPresent } from "@soar/durable-files";
import { parseLibraryList } from "@soar/pg-tools/recovery-config";
import type { BackupRecord } from "@soar/repository";

export interface PreloadLibraries {
  readonly present: readonly string[];
  readonly missing: readonly string[];
}

/** Where packages keep modules, from the directory of the programs: Debian and RPM, and a build with one prefix. */
const LIBRARY_DIRECTORIES = ["../lib", "../lib/postgresql"];
/** As the server has it when nothing is said. */
const OWN_DIRECTORY = "$libdir";

/**
 * Which of the source's preloaded libraries this host has: a server does not start with one that it cannot find. They are
 * looked for as the server does (`expand_dynamic_library_name`, src/backend/utils/fmgr/dfmgr.c).
 */
export async function findPreloadLibraries(
  settings: BackupRecord["settings"],
  binDir: string,
): Promise<PreloadLibraries> {
  const names = parseLibraryList(settings["shared_preload_libraries"] ?? "");
  const path = (settings["dynamic_library_path"] ?? OWN_DIRECTORY).split(":");
  const found = await Promise.all(names.map((name) => hasLibrary(name, { path, binDir })));
  return { present: names.filter((_, at) => found[at]), missing: names.filter((_, at) => !found[at]) };
}

async function hasLibrary(
  name: string,
  { path, binDir }: { readonly path: readonly string[]; readonly binDir: string },
): Promise<boolean> {
  // With a directory it is looked for there and nowhere else.
  const places = name.includes("/") ? [name] : path.map((directory) => `${directory}/${name}`);
  for (const place of places.flatMap((one) => expand(one, binDir))) {
    for (const file of [place, `${place}.so`]) {
      const found = await statIfPresent(file);
      if (found !== undefined && !found.isDirectory()) return true;
    }
  }
  return false;
}

/** A relative place would be one in the data directory, which keeps no libraries: nowhere. */
function expand(place: string, binDir: string): string[] {
  if (place.startsWith("/")) return [place];
  if (!place.startsWith(`${OWN_DIRECTORY}/`)) return [];
  const below = place.slice(OWN_DIRECTORY.length + 1);
  return LIBRARY_DIRECTORIES.map((directory) => resolve(binDir, directory, below));
}
