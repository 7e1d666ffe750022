import { claimRepository, requireSameCluster, type ClusterIdentity, type RepositoryRecord } from "@soar/repository";
import { isCompressibleWalFile, WAL_MEMBER_SIZE, type WalFileSource } from "@soar/repository/wal";
import type { Codec } from "@soar/seekable-tar";
import { requireCompressionLevel } from "@soar/seekable-tar/members";
import type { ObjectStore } from "@soar/storage";
import { free, MemoryBudget, type MemoryShare, movable } from "@soar/task-pool";
import type { GivenUpWal } from "./gap/given-up.ts";
import { createPreparePool, type PreparePool } from "./prepare/prepare-pool.ts";
import type { PreparedFacts } from "./prepare/prepare-task.ts";
import { pushWal, type PushedWal } from "./push-wal.ts";
import { readPieces } from "./wal-source.ts";

export interface WalPusherOptions {
  readonly codec: Codec;
  readonly level?: number | undefined;
  /** Threads that read, hash and compress. */
  readonly workers: number;
  /** Name and version of the program, for the repository's record. */
  readonly toolVersion: string;
  /** As in `ArchiveOptions`. */
  readonly spoolDir?: string | undefined;
}

/** `archiveWalFile` for many files: threads and memory of its own, and the repository is asked only once whose it is. */
export interface WalPusher {
  /** Waits until there is memory for a file of so many bytes. Rejects when the signal aborts. */
  reserve(size: number, signal: AbortSignal): Promise<MemoryShare>;
  /** Resolves and rejects as `archiveWalFile` does. `memory` is what was reserved for the file. */
  push(
    path: string,
    name: string,
    options: { readonly memory: MemoryShare; readonly signal: AbortSignal },
  ): Promise<PushedWal | GivenUpWal>;
  close(): Promise<void>;
}

/**
 * What all files on their way may hold: of 16 MiB that do not compress, two that are read and compressed, and one that is sent;
 * or one, and three that are sent.
 */
const MEMORY_BUDGET = 80 * 1024 * 1024;
/** A file that is larger than is held has some 70 MiB at a time, whatever its size: two members, plain and stored, and parts. */
const STREAMED_AT_ONCE = 2;

/** Throws `CONFIG_INVALID` for a level that the codec does not have. */
export function createWalPusher(store: ObjectStore, options: WalPusherOptions): WalPusher {
  requireCompressionLevel(options.codec, options.level);
  const pool = createPreparePool({ workers: options.workers });
  const budget = new MemoryBudget(MEMORY_BUDGET);
  let claimed: RepositoryRecord | undefined;
  const requireOurs = async (identity: ClusterIdentity, signal: AbortSignal): Promise<void> => {
    // The record is written once and never changes.
    if (claimed === undefined)
      claimed = await claimRepository(store, identity, { toolVersion: options.toolVersion, now: new Date(), signal });
    requireSameCluster(claimed, identity, store.location);
  };
  return {
    reserve: (size, signal) =>
      budget.take(size > WAL_MEMBER_SIZE ? MEMORY_BUDGET / STREAMED_AT_ONCE : 2 * size, signal),
    async push(path, name, { memory, signal }) {
      const { codec, level, spoolDir } = options;
      let object: Uint8Array | undefined;
      const steps = {
        read: async () => {
          const prepared = await pool.run({ kind: "prepare", path, name, codec, level }, [], signal);
          ({ object } = prepared);
          if (object !== undefined) memory.shrinkTo(object.byteLength);
          return { source: sourceOf(path, name, { prepared, codec }), identity: prepared.identity };
        },
        claim: (identity: ClusterIdentity) => requireOurs(identity, signal),
      };
      const compress = (plain: Buffer): Promise<Buffer> => compressOn(pool, plain, { ...options, signal });
      const pushed = await pushWal(store, { path, name }, steps, { codec, level, spoolDir, compress, signal });
      // Only what was stored is no longer being sent: after any other outcome a dead connection may still hold it.
      if (pushed.outcome === "archived" && object !== undefined) free(object);
      return pushed;
    },
    close: () => pool.close(),
  };
}

function sourceOf(
  path: string,
  name: string,
  { prepared, codec }: { prepared: PreparedFacts; codec: Codec },
): WalFileSource {
  const { size, sha256, facts, changes, object } = prepared;
  const stored = isCompressibleWalFile(name) ? codec : "none";
  return {
    name,
    size,
    sha256,
    facts,
    changes,
    encoded: object && { codec: stored, object: asBuffer(object) },
    // What is compressed moves to a thread; what is not is copied into parts before the next piece is asked for.
    open: (pieceSize) =>
      readPieces(path, size, pieceSize, stored === "none" ? Buffer.allocUnsafeSlow(pieceSize) : undefined),
  };
}

async function compressOn(
  pool: PreparePool,
  plain: Buffer,
  { codec, level, signal }: Pick<WalPusherOptions, "codec" | "level"> & { readonly signal: AbortSignal },
): Promise<Buffer> {
  const bytes = movable(plain);
  return asBuffer(await pool.run({ kind: "compress", codec, level, plain: bytes }, [bytes.buffer], signal));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
