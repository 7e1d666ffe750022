import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";
import { unreadable } from "@soar/durable-files";
import { openTrustedFile } from "@soar/durable-files/reading";
import { SoarError } from "@soar/errors";
import { formatLsn, type WalFileName } from "@soar/pg-tools";
import { ChangeCollector, type SegmentChanges } from "@soar/pg-tools/changed-blocks";
import { checkWalSegmentHeader, createWalSummarizer, type WalSegmentSummary } from "@soar/pg-tools/wal-records";
import type { ClusterIdentity } from "@soar/repository";
import { LARGEST_HISTORY, WAL_MEMBER_SIZE, type WalFileSource } from "@soar/repository/wal";
import { noHistory, requireReadableHistory } from "./readable-history.ts";

/** Up to this size a file is read once and held; larger segments are read twice, so that memory stays bounded. */
const LARGEST_HELD_FILE = WAL_MEMBER_SIZE;
const READ_SIZE = 1024 * 1024;
const PATH_HINT =
  "The path is relative to the data directory, as PostgreSQL passes it with %p; run the command there and as the server's user.";

export interface ReadWalSource {
  readonly source: WalFileSource & { readonly isHeld: boolean };
  /** What a segment's header says; undefined for files that do not say which cluster they are of. */
  readonly identity: ClusterIdentity | undefined;
}

export interface ReadWalOptions {
  readonly signal?: AbortSignal | undefined;
  /** Gives the memory that a file is held in, which the source needs until it was stored; by default memory of its own. */
  readonly allocate?: ((size: number) => Buffer) | undefined;
  /** Told of a file that is held once it is read, before its records are looked at: what takes long can go on meanwhile. */
  readonly whenHeld?: ((plain: Buffer) => void) | undefined;
}

/**
 * Reads a WAL file, checks that it is what its name says, and computes what the repository stores beside it.
 * Rejects with `WAL_INVALID` or `FILE_UNREADABLE`.
 */
export async function readWalSource(path: string, file: WalFileName, options: ReadWalOptions): Promise<ReadWalSource> {
  const handle = await openWalFile(path);
  try {
    const stats = await handle.stat();
    const { size } = stats;
    if (!stats.isFile()) throw unreadable(path, "it is not a regular file", PATH_HINT);
    if (size === 0) throw file.kind === "backup-history" ? noHistory(path, file, "it is empty") : empty(path);
    if (file.kind === "segment" || file.kind === "partial") await requireSegmentHeader(handle, file.name, size);
    else if (size > LARGEST_HISTORY) throw noHistory(path, file, `it has ${size} bytes`);
    const held = size <= LARGEST_HELD_FILE ? (options.allocate ?? Buffer.allocUnsafe)(size) : undefined;
    const pieces = (pieceSize: number) =>
      held === undefined ? readPieces(path, size, pieceSize) : slices(held, pieceSize);
    const read = await readOnce({ path, size, handle }, held, options);
    const { summary, changes, sha256 } = await scan(file, read, options.signal);
    requireFilled(path, file, summary);
    if (held !== undefined) requireReadableHistory(path, file, held);
    return {
      source: {
        name: file.name,
        size,
        sha256,
        facts: summary && factsOf(summary),
        changes,
        open: pieces,
        isHeld: held !== undefined,
      },
      identity: summary && identityOf(summary),
    };
  } finally {
    await handle.close();
  }
}

/** The file piece by piece. Each is looked at while it is still in the processor's cache, unless somebody else wants all of them first. */
async function readOnce(
  { path, size, handle }: { readonly path: string; readonly size: number; readonly handle: FileHandle },
  held: Buffer | undefined,
  { whenHeld }: ReadWalOptions,
): Promise<AsyncIterable<Buffer>> {
  if (held === undefined) return readPieces(path, size, READ_SIZE, Buffer.allocUnsafeSlow(READ_SIZE));
  if (whenHeld === undefined) return fill(held, handle, path);
  await Array.fromAsync(fill(held, handle, path));
  whenHeld(held);
  return inTurns(slices(held, READ_SIZE));
}

/** Lets what else is going on, such as requests, have its turn between two pieces. */
async function* inTurns(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) {
    yield piece;
    await turn();
  }
}

interface Scanned {
  readonly sha256: string;
  /** Of segments; other files have no records. */
  readonly summary: WalSegmentSummary | undefined;
  readonly changes: SegmentChanges | undefined;
}

async function scan(
  file: WalFileName,
  pieces: AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
): Promise<Scanned> {
  const hash = createHash("sha256");
  const isSegment = file.kind === "segment" || file.kind === "partial";
  const observer = file.kind === "segment" ? new ChangeCollector() : undefined;
  const summarizer = isSegment ? createWalSummarizer({ name: file.name, observer }) : undefined;
  for await (const piece of pieces) {
    signal?.throwIfAborted();
    hash.update(piece);
    summarizer?.push(piece);
  }
  const summary = summarizer?.finish();
  return { sha256: hash.digest("hex"), summary, changes: observer?.changes };
}

function identityOf({ systemIdentifier, pgMajor, segmentSize }: WalSegmentSummary): ClusterIdentity {
  return { systemIdentifier: String(systemIdentifier), postgresMajor: pgMajor, walSegmentSize: segmentSize };
}

function factsOf(summary: WalSegmentSummary): NonNullable<WalFileSource["facts"]> {
  const { earliestTime, latestTime, restorePoints, parameters } = summary;
  return {
    sysid: String(summary.systemIdentifier),
    tx: {
      n: summary.commitCount + summary.abortCount,
      ...(earliestTime === undefined ? {} : { first: Number(earliestTime) }),
      ...(latestTime === undefined ? {} : { last: Number(latestTime) }),
    },
    ...(summary.endsInsideTransactionEnd ? { open: true as const } : {}),
    ...(restorePoints.length === 0 ? {} : { rp: [...restorePoints] }),
    ...(parameters === undefined ? {} : { pc: [...parameters] }),
  };
}

/**
 * A finished segment is WAL to its last byte, or to a switch record. Only zeros are refused: they are what a file has
 * that was not written to its end, and a record that this reader should not know must not stop archiving.
 */
function requireFilled(path: string, file: WalFileName, summary: WalSegmentSummary | undefined): void {
  if (file.kind !== "segment" || summary?.end?.cause !== "zeros") return;
  throw new SoarError(
    "WAL_INVALID",
    `unable to archive '${path}': nothing was written behind ${formatLsn(summary.end.lsn)}, in the middle of the segment`,
    {
      hint: "The segment is not finished. Only files with a .ready file in archive_status are; to finish the current one run SELECT pg_switch_wal().",
    },
  );
}

async function openWalFile(path: string): Promise<FileHandle> {
  // A pipe that nobody writes to is judged below instead of being waited for, which no deadline could end.
  return openTrustedFile(path).catch((cause: unknown) => {
    throw unreadable(path, cause, PATH_HINT);
  });
}

/** Before anything is read: a file of the wrong size is refused by its name and header, not after gigabytes. */
async function requireSegmentHeader(handle: FileHandle, name: string, fileSize: number): Promise<void> {
  const head = Buffer.alloc(Math.min(fileSize, 64));
  await handle.read(head, 0, head.length, 0);
  checkWalSegmentHeader(head, { name, fileSize });
}

/** Reads a file into memory, and yields what came as it comes. */
async function* fill(memory: Buffer, handle: FileHandle, path: string): AsyncGenerator<Buffer> {
  for (let filled = 0; filled < memory.length;) {
    const { bytesRead } = await handle.read(memory, filled, Math.min(READ_SIZE, memory.length - filled), filled);
    if (bytesRead === 0) throw shrank(path, filled, memory.length);
    yield memory.subarray(filled, filled + bytesRead);
    filled += bytesRead;
  }
}

async function* slices(buffer: Buffer, pieceSize: number): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < buffer.length; offset += pieceSize) yield buffer.subarray(offset, offset + pieceSize);
}

/** Each piece in memory of its own, which may be given away, or in `reused`, which holds it until the next one is asked for. */
export async function* readPieces(
  path: string,
  size: number,
  pieceSize: number,
  reused?: Buffer,
): AsyncGenerator<Buffer> {
  const handle = await openWalFile(path);
  try {
    for (let offset = 0; offset < size;) {
      const length = Math.min(pieceSize, size - offset);
      const buffer = reused?.subarray(0, length) ?? Buffer.allocUnsafeSlow(length);
      let filled = 0;
      while (filled < length) {
        const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled);
        if (bytesRead === 0) throw shrank(path, offset + filled, size);
        filled += bytesRead;
      }
      yield buffer;
      // Its memory may have been given away.
      offset += length;
    }
  } finally {
    await handle.close();
  }
}

function empty(path: string): SoarError {
  return new SoarError("WAL_INVALID", `unable to archive '${path}': the file is empty`, {
    hint: "PostgreSQL never archives an empty file; look for a full disk or something else that writes to pg_wal.",
  });
}

function shrank(path: string, at: number, size: number): SoarError {
  return new SoarError("WAL_INVALID", `unable to archive '${path}': the file ends at byte ${at}, it had ${size}`, {
    hint: "Something cut the file while it was read; PostgreSQL will call the command again.",
  });
}
