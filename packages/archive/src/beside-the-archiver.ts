import type { ObjectStore } from "@soar/storage";
import { archiveWalFile, type ArchiveOptions } from "./archive-wal-file.ts";

/** See `archiveWalFile`; `dataDir` is whose cluster a file is of that does not say so itself. */
export type ArchiveBeside = (
  path: string,
  name: string,
  options: { readonly dataDir: string; readonly signal: AbortSignal | undefined },
) => Promise<"archived" | "already archived">;

/**
 * For a program that stores WAL of a server besides that one's archiver, which finds it archived already: a backup what it needs itself,
 * a restore what only this machine had. A declared gap is no reason to leave out what is there.
 */
export function archiveBeside(
  store: ObjectStore,
  options: Pick<ArchiveOptions, "codec" | "level" | "toolVersion">,
): ArchiveBeside {
  return async (path, name, { dataDir, signal }) => {
    const { outcome } = await archiveWalFile(store, path, name, {
      ...options,
      now: new Date(),
      dataDir,
      signal,
    });
    if (outcome === "given up") throw new Error("without a spool nothing is given up");
    return outcome;
  };
}
