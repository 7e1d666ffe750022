import { dirname, isAbsolute, join, resolve } from "node:path";
import { realPathIfPresent, statIfPresent } from "@soar/durable-files";
import { parseLibraryList } from "@soar/pg-tools/recovery-config";
import { runIfPresent } from "@soar/programs";
import type { BackupRecord } from "@soar/repository";

export interface PreloadLibraries {
  readonly present: readonly string[];
  readonly missing: readonly string[];
  /** Those of which nothing can be said, because it is not known where this host's server keeps its libraries. */
  readonly unknown: readonly string[];
}

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
  const libraryDir = names.length === 0 ? undefined : await findLibraryDirectory(binDir);
  const found = await Promise.all(names.map((name) => lookFor(name, { path, libraryDir })));
  const those = (answer: boolean | undefined): string[] => names.filter((_, at) => found[at] === answer);
  return { present: those(true), missing: those(false), unknown: those(undefined) };
}

/** Undefined where that cannot be told. */
async function lookFor(
  name: string,
  { path, libraryDir }: { readonly path: readonly string[]; readonly libraryDir: string | undefined },
): Promise<boolean | undefined> {
  // With a directory it is looked for there and nowhere else.
  const places = name.includes("/") ? [name] : path.map((directory) => `${directory}/${name}`);
  let isKnown = true;
  for (const place of places) {
    const isOwn = place.startsWith(`${OWN_DIRECTORY}/`);
    if (isOwn && libraryDir === undefined) isKnown = false;
    const full = isOwn && libraryDir !== undefined ? join(libraryDir, place.slice(OWN_DIRECTORY.length)) : place;
    // A relative place would be one in the data directory, which keeps no libraries: nowhere.
    if (!isAbsolute(full)) continue;
    for (const file of [full, `${full}.so`]) {
      const found = await statIfPresent(file);
      if (found !== undefined && !found.isDirectory()) return true;
    }
  }
  return isKnown ? false : undefined;
}

/** From the directory of the programs: Debian and builds with one prefix, RPM packages of distributions, Alpine and Arch. */
const LAYOUTS = ["../lib", "../lib64", "../lib64/pgsql", "../lib/pgsql", "../lib/postgresql"];
/** A part of every server, which it loads from its own directory of libraries. */
const OWN_MODULE = "libpqwalreceiver.so";
/** A program that tells a path does so at once. */
const PATIENCE_MS = 30_000;

/**
 * Where a server's `$libdir` is: what `pg_config` beside it says, else where packages have it; proved by a library of the server's
 * own in either case, because `pg_config` may belong to another version. Undefined where it cannot be found.
 */
async function findLibraryDirectory(binDir: string): Promise<string | undefined> {
  // The server goes by where its program lies itself, whatever links lead there (find_my_exec, src/common/exec.c).
  const ownDir = dirname((await realPathIfPresent(join(binDir, "postgres"))) ?? join(binDir, "postgres"));
  for (const directory of new Set([ownDir, binDir])) {
    const said = await runIfPresent(join(directory, "pg_config"), ["--pkglibdir"], {
      env: { LC_ALL: "C", PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
      timeoutMs: PATIENCE_MS,
    });
    const answer = said?.status === 0 ? said.stdout.trim() : "";
    if (isAbsolute(answer) && (await hasOwnModule(answer))) return answer;
  }
  for (const layout of LAYOUTS) {
    const directory = resolve(ownDir, layout);
    if (await hasOwnModule(directory)) return directory;
  }
  return undefined;
}

async function hasOwnModule(directory: string): Promise<boolean> {
  return (await statIfPresent(join(directory, OWN_MODULE)))?.isFile() ?? false;
}
