import { resolve } from "node:path";
import { statIfPresent } from "@soar/durable-files";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import type { RestorePlan } from "../plan/plan.ts";
import { quietSettings } from "../recover/quiet-settings.ts";

export interface ScratchPlace {
  readonly dataDir: string;
  readonly socketDir: string;
  readonly hbaFile: string;
  readonly identFile: string;
  readonly port: number;
}

/**
 * The configuration of a scratch server, all of it on the command line: nothing of the source's configuration counts,
 * where a pid file, a log directory or a subscription could reach the living cluster.
 */
export function scratchSettings(
  { backup, minimums }: Pick<RestorePlan, "backup" | "minimums">,
  place: ScratchPlace,
  { libraries, standby }: { readonly libraries: readonly string[]; readonly standby: boolean },
): Record<string, string> {
  return {
    // Transactions that recovery leaves prepared need their slots (safety, trap 37).
    ...Object.fromEntries(Object.entries(minimums).map(([name, value]) => [name, String(value)])),
    data_directory: place.dataDir,
    hba_file: place.hbaFile,
    ident_file: place.identFile,
    listen_addresses: "",
    unix_socket_directories: place.socketDir,
    unix_socket_permissions: "0700",
    port: String(place.port),
    shared_preload_libraries: libraries.join(","),
    archive_mode: "off",
    autovacuum: "off",
    ...quietSettings(majorOfVersionNumber(backup.postgresVersion), { standby }),
    default_transaction_read_only: "on",
    // Connections are taken after promotion only, where there is one; so larger minimums later in the WAL do not stop replay.
    hot_standby: standby ? "on" : "off",
    // Thrown away afterwards.
    fsync: "off",
    full_page_writes: "off",
    synchronous_commit: "off",
    shared_buffers: "128MB",
    huge_pages: "off",
  };
}

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
