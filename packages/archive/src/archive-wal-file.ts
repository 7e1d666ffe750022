import type { WalFileName } from "@soar/pg-tools";
import { claimRepository, findRepositoryRecord, type ClusterIdentity, type RepositoryRecord } from "@soar/repository";
import { findWalObjects, isCompressibleWalFile, WAL_LEVELS, type WalObject } from "@soar/repository/wal";
import { type Codec, compressMember } from "@soar/seekable-tar";
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
  readonly dataDir?: string | undefined;
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
  const ahead = workAhead(store, name, options);
  const steps = {
    read: (file: WalFileName) => {
      ahead.ask();
      return readWalSource(path, file, { signal, whenHeld: ahead.compress });
    },
    claim: (identity: ClusterIdentity) =>
      claimRepository(store, identity, { toolVersion, now, signal, found: ahead.record() }),
  };
  return pushWal(store, { path, name }, steps, { ...options, found: ahead.stored, compress: ahead.compressed });
}

/**
 * What is needed of the bucket before a file is stored, whose it is and whether it has this file, is asked while the file is read,
 * and the file is compressed while its records are looked at: PostgreSQL waits for the longer of them instead of for their sum.
 */
function workAhead(store: ObjectStore, name: string, { codec, level, signal }: ArchiveOptions) {
  let record: Promise<RepositoryRecord | undefined> | undefined;
  let stored: Promise<readonly WalObject[]> | undefined;
  let member: Promise<Buffer> | undefined;
  const compress = (plain: Buffer): Promise<Buffer> =>
    compressMember(codec, plain, { level: level ?? WAL_LEVELS[codec] });
  return {
    ask(): void {
      record = heard(findRepositoryRecord(store, { signal }));
      stored = heard(findWalObjects(store, name, { signal }));
    },
    record: () => record,
    stored: () => stored ?? findWalObjects(store, name, { signal }),
    compress(plain: Buffer): void {
      if (codec !== "none" && isCompressibleWalFile(name)) member = heard(compress(plain));
    },
    /** A file that is held is one member. */
    compressed: (plain: Buffer) => member ?? compress(plain),
  };
}

/** A failure is told to whoever waits for it, if it comes to that. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
