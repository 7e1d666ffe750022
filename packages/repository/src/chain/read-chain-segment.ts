import { createReadStream } from "node:fs";
import { lsnOfSegmentIndex } from "@soar/pg-tools";
import { SoarError } from "@soar/errors";
import type { ObjectStore } from "@soar/storage";
import { free } from "@soar/task-pool";
import { sha256Hex } from "../records/digest.ts";
import { getWalFile, readWalFile, type GetWalOptions } from "../wal/get-wal.ts";
import { findWalObjects } from "../wal/put-wal.ts";
import { readTail } from "../tail/tail-read.ts";
import type { ChainSegment, FrozenTail } from "./wal-chain.ts";

/**
 * Yields the plain bytes of a segment of a chain, as recovery is given them: whole; with zeros behind the LSN up to which
 * another timeline's copy holds the same; or with zeros behind what was shipped of it. Proved only when the iteration has
 * ended, as for `getWalFile`.
 */
export async function* readChainSegment(
  store: ObjectStore,
  segment: ChainSegment,
  segmentSize: number,
  options: GetWalOptions = {},
): AsyncGenerator<Buffer> {
  if (segment.tail !== undefined) {
    const bytes = await readFrozenTail(store, segment.name, segment.tail, { ...options, segmentSize });
    yield bytes;
    yield Buffer.alloc(segmentSize - bytes.length);
    return;
  }
  const end =
    segment.cutLsn === undefined ? Infinity : Number(segment.cutLsn - lsnOfSegmentIndex(segment.index, segmentSize));
  let position = 0;
  const { file } = segment.object;
  for await (const piece of file === undefined
    ? getWalFile(store, segment.object, options)
    : readLocalFile(file, options.signal)) {
    const kept = Math.max(0, Math.min(piece.length, end - position));
    position += piece.length;
    if (file === undefined && position > segmentSize) throw tooLong(segment, segmentSize);
    yield kept === piece.length ? piece : Buffer.concat([piece.subarray(0, kept), Buffer.alloc(piece.length - kept)]);
  }
}

/**
 * The same for whoever keeps nothing of a piece: its memory is given back when the next one is asked for. The collector sees how
 * small the objects before it are, and would let the 16 MiB of each segment lie until it has other work.
 */
export async function* scanChainSegment(
  store: ObjectStore,
  segment: ChainSegment,
  segmentSize: number,
  options: GetWalOptions = {},
): AsyncGenerator<Buffer> {
  // Of what is stored bare, several pieces may lie in one memory.
  const isUnpacked = segment.tail === undefined && segment.object.codec !== "none";
  for await (const piece of readChainSegment(store, segment, segmentSize, options)) {
    try {
      yield piece;
    } finally {
      if (isUnpacked) free(piece);
    }
  }
}

/** Told at once: what is read here goes onto a disk. */
function tooLong({ object }: ChainSegment, segmentSize: number): SoarError {
  return new SoarError(
    "REPOSITORY_DAMAGED",
    `'${object.key}' is damaged: it holds more than the ${segmentSize} bytes of a segment`,
    {
      hint: "Restore an older version of the object from the bucket or from a copy. Until then, recovery ends before this segment.",
    },
  );
}

async function* readLocalFile(path: string, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(path, {
      highWaterMark: LOCAL_READ_BYTES,
      ...(signal === undefined ? {} : { signal }),
    }))
      yield chunk as Buffer;
  } catch (cause) {
    if (signal?.aborted === true) throw signal.reason;
    throw new SoarError(
      "FILE_UNREADABLE",
      `unable to read the WAL segment '${path}', which is not in the bucket: ${(cause as Error).message}`,
      {
        cause,
        hint: "Run as the owner of the data directory or as root, and leave the directory that a restore kept where it is.",
      },
    );
  }
}

const LOCAL_READ_BYTES = 1024 * 1024;

/** The frozen bytes, from the pieces, or from the whole segment if it was archived meanwhile. */
async function readFrozenTail(
  store: ObjectStore,
  name: string,
  { size, sha256 }: FrozenTail,
  options: GetWalOptions & { readonly segmentSize: number },
): Promise<Buffer> {
  const isMeant = (bytes: Buffer | undefined): bytes is Buffer =>
    bytes !== undefined && bytes.length >= size && sha256Hex(bytes.subarray(0, size)) === sha256;
  const shipped = (await readTail(store, name, options))?.bytes;
  if (isMeant(shipped)) return shipped.subarray(0, size);
  for (const object of await findWalObjects(store, name, options)) {
    const archived = await readWalFile(store, object, options);
    if (isMeant(archived)) return archived.subarray(0, size);
  }
  throw new SoarError(
    "WAL_MISSING",
    `the ${size} bytes of '${name}' that were planned are not in the bucket any more`,
    {
      hint: "Plan the restore again: what is in the bucket has changed.",
    },
  );
}
