import type { CommandContext, Config, OptionTable, walCompressionOptions } from "@soar/app-kit";
import { archiveWalFile } from "@soar/archive";
import type { ArchiveWal } from "@soar/restore";
import type { ObjectStore } from "@soar/storage";

/** WAL of this machine goes into the repository as by `archive_command`, with the same settings. */
export function archiveAsArchiver(
  store: ObjectStore,
  { walCompression, walCompressionLevel }: Config<typeof walCompressionOptions>,
  { name: program, version }: CommandContext<OptionTable, Record<string, never>>["app"],
): ArchiveWal {
  return async (path, name, { dataDir, signal }) => {
    const { outcome } = await archiveWalFile(store, path, name, {
      codec: walCompression,
      level: walCompressionLevel,
      toolVersion: `${program} ${version}`,
      now: new Date(),
      // Histories do not say whose they are, and the pg_control of the old cluster may be lost.
      dataDirs: [dataDir],
      signal,
    });
    // Recovery has read it, so that a gap which was declared meanwhile is none.
    if (outcome === "given up") throw new Error("without a spool nothing is given up");
    return outcome;
  };
}
