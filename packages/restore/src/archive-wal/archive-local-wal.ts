import { dirname } from "node:path";
import { messageOf } from "@soar/errors";
import { requireNoCopy } from "@soar/repository";
import { requireSameFile, requireSameHistory } from "../wal/local-digest.ts";
import type { LocalWalFile } from "./wal-to-archive.ts";

/**
 * What `archive_command` means: resolves only when the repository holds exactly the bytes of the file under that name, and
 * never overwrites. Rejects with the reason otherwise.
 */
export type ArchiveWal = (
  path: string,
  name: string,
  options: { readonly dataDir: string; readonly signal: AbortSignal | undefined },
) => Promise<"archived" | "already archived">;

/** What became of WAL that only this machine had when the restore was planned. */
export interface ArchivedLocalWal {
  /** Names of files that this run stored, in the order of the WAL. */
  readonly archived: readonly string[];
  /** Names of those that were in the repository already when their turn came, with the same content. */
  readonly present: readonly string[];
  /** What is in no repository: the file that could not be stored, and everything behind it. */
  readonly left: readonly LocalWalFile[];
  /** Why the first of these could not be stored. */
  readonly reason: string | undefined;
}

export interface ArchiveLocalWalOptions {
  readonly archiveWal: ArchiveWal;
  readonly dataDir: string;
  readonly signal?: AbortSignal | undefined;
  /** Called before each file, with the number of those that are done. */
  readonly onFile: (done: number) => void;
}

/**
 * PostgreSQL counts what `restore_command` delivered as archived (`.done`) and never archives it: what came from this disk
 * would stay a hole in the repository. Ends at the first file that cannot be stored, so that no hole lies before one that
 * was. Rejects only with the signal's reason: the restore is proved, and what could not be stored is told.
 */
export async function archiveLocalWal(
  files: readonly LocalWalFile[],
  { archiveWal, dataDir, signal, onFile }: ArchiveLocalWalOptions,
): Promise<ArchivedLocalWal> {
  const archived: string[] = [];
  const present: string[] = [];
  for (const [done, { name, file, sha256, history }] of files.entries()) {
    try {
      onFile(done);
      // A directory of saved WAL has no data directory around it that would tell.
      await requireNoCopy(dirname(file));
      if (sha256 !== undefined) await requireSameFile(file, sha256);
      if (history !== undefined) await requireSameHistory(file, history);
      const outcome = await archiveWal(file, name, { dataDir, signal });
      (outcome === "archived" ? archived : present).push(name);
    } catch (error) {
      signal?.throwIfAborted();
      return { archived, present, left: files.slice(done), reason: messageOf(error) };
    }
  }
  return { archived, present, left: [], reason: undefined };
}
