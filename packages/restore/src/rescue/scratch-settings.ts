import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import { formatLibraryList } from "@soar/pg-tools/recovery-config";
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
  const libraryPath = backup.settings["dynamic_library_path"];
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
    shared_preload_libraries: formatLibraryList(libraries),
    ...(libraryPath === undefined ? {} : { dynamic_library_path: libraryPath }),
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
