import type { WalFileName } from "@soar/pg-tools";
import { claimRepository, type ClusterIdentity } from "@soar/repository";
import type { Codec } from "@soar/seekable-tar";
import { requireCompressionLevel } from "@soar/seekable-tar/members";
import type { ObjectStore } from "@soar/storage";
import type { GivenUpWal } from "./gap/given-up.ts";
import { pushWal, type PushedWal } from "./push-wal.ts";
import { readWalSource } from "./wal-source.ts";

export interface ArchiveOptions {
  readonly codec: Codec;
  readonly level?: number | undefined;
  /** Name and version of the program, for the repository's record. */
  readonly toolVersion: string;
  readonly now: Date;
  /** The archiver's spool, in which gaps are marked that were declared on this machine; without it nothing is ever given up. */
  readonly spoolDir?: string | undefined;
  /** See `PushOptions`. */
  readonly dataDirs?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What `archive_command` means: resolves only when the bucket holds exactly the bytes of the file at `path` under the
 * name `name`, for the cluster that the repository belongs to. Rejects with `WAL_INVALID` for a file that is not what
 * its name says, `REPOSITORY_FOREIGN` for another cluster, `WAL_CONFLICT` for other bytes under the name,
 * `FILE_UNREADABLE`, `CONFIG_INVALID` for a level that the codec does not have, or the store's failure. Nothing is ever overwritten. A segment of a declared gap is not archived, and
 * the outcome says so.
 */
export async function archiveWalFile(
  store: ObjectStore,
  path: string,
  name: string,
  options: ArchiveOptions,
): Promise<PushedWal | GivenUpWal> {
  const { signal, toolVersion, now } = options;
  requireCompressionLevel(options.codec, options.level);
  const steps = {
    read: (file: WalFileName) => readWalSource(path, file, options),
    claim: (identity: ClusterIdentity) => claimRepository(store, identity, { toolVersion, now, signal }),
  };
  return pushWal(store, { path, name }, steps, options);
}
