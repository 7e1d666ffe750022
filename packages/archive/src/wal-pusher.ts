import { claimRepository, requireSameCluster, type ClusterIdentity, type RepositoryRecord } from "@soar/repository";
import { isCompressibleWalFile, type WalFileSource } from "@soar/repository/wal";
import type { Codec } from "@soar/seekable-tar";
import type { ObjectStore } from "@soar/storage";
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

/** `archiveWalFile` for many files: threads of its own, and the repository is asked only once whose it is. */
export interface WalPusher {
  /** Resolves and rejects as `archiveWalFile` does. */
  push(path: string, name: string, options: { readonly signal: AbortSignal }): Promise<PushedWal | GivenUpWal>;
  close(): Promise<void>;
}

export function createWalPusher(store: ObjectStore, options: WalPusherOptions): WalPusher {
  const pool = createPreparePool({ workers: options.workers });
  let claimed: RepositoryRecord | undefined;
  const requireOurs = async (identity: ClusterIdentity, signal: AbortSignal): Promise<void> => {
    // The record is written once and never changes.
    if (claimed === undefined)
      claimed = await claimRepository(store, identity, { toolVersion: options.toolVersion, now: new Date(), signal });
    requireSameCluster(claimed, identity, store.location);
  };
  return {
    push(path, name, { signal }) {
      const { codec, level, spoolDir } = options;
      const steps = {
        read: async () => {
          const prepared = await pool.run({ kind: "prepare", path, name, codec, level }, [], signal);
          return { source: sourceOf(path, name, { prepared, codec }), identity: prepared.identity };
        },
        claim: (identity: ClusterIdentity) => requireOurs(identity, signal),
      };
      const compress = (plain: Buffer): Promise<Buffer> => compressOn(pool, plain, { ...options, signal });
      return pushWal(store, { path, name }, steps, { codec, level, spoolDir, compress, signal });
    },
    close: () => pool.close(),
  };
}

function sourceOf(
  path: string,
  name: string,
  { prepared, codec }: { prepared: PreparedFacts; codec: Codec },
): WalFileSource {
  const { size, sha256, facts, members } = prepared;
  const encoded = members && {
    codec: isCompressibleWalFile(name) ? codec : ("none" as const),
    members: members.map(asBuffer),
  };
  return { name, size, sha256, facts, encoded, open: (pieceSize) => readPieces(path, size, pieceSize) };
}

async function compressOn(
  pool: PreparePool,
  plain: Buffer,
  { codec, level, signal }: Pick<WalPusherOptions, "codec" | "level"> & { readonly signal: AbortSignal },
): Promise<Buffer> {
  // `readPieces` gives every piece memory of its own, or a view on a pool that must not move.
  const bytes = new Uint8Array(plain);
  return asBuffer(await pool.run({ kind: "compress", codec, level, plain: bytes }, [bytes.buffer], signal));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
