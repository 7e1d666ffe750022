import { createHash } from "node:crypto";
import { SoarError } from "@soar/errors";
import { listTailPieces, putTailPiece, readTailDigest, type TailPiece } from "@soar/repository/tail";
import type { ObjectStore } from "@soar/storage";
import { createConsolidation } from "./consolidation.ts";

export interface SegmentTailOptions {
  readonly segmentName: string;
  readonly segmentSize: number;
  readonly systemIdentifier: string;
  readonly level?: number | undefined;
  /** A piece was put that holds all before it. */
  readonly onConsolidated?: ((piece: TailPiece) => void) | undefined;
  readonly signal: AbortSignal;
}

/** The bytes of one segment as they arrive, and how many of them are in the bucket. */
export interface SegmentTail {
  readonly segmentName: string;
  /** Bytes that have arrived, from the segment's start. */
  readonly position: number;
  /** Bytes from the start that are in `tail/`, and proved to be the ones that have arrived. */
  readonly shipped: number;
  /** Bytes that have arrived and are still to be sent. */
  readonly waiting: number;
  /** Takes the next bytes. Rejects with `WAL_CONFLICT` when the bucket holds other bytes for them. */
  push(bytes: Buffer): void;
  /** Ships everything that has arrived; undefined when there is nothing new. One call at a time. */
  ship(): Promise<TailPiece | undefined>;
  /** Resolves when nothing is on its way behind the shipments. */
  idle(): Promise<void>;
}

/** Larger beginnings are not consolidated: they would have to be held in memory. */
const LARGEST_CONSOLIDATED = 64 * 1024 * 1024;

/**
 * Begins or resumes shipping a segment. What an earlier run has shipped is not sent again, but every byte of it is compared
 * as it streams in: its digest has to be that of the last piece.
 */
export async function openSegmentTail(store: ObjectStore, options: SegmentTailOptions): Promise<SegmentTail> {
  const { segmentName, systemIdentifier, level, onConsolidated, signal } = options;
  const pieces = await listTailPieces(store, segmentName, { signal });
  const last = furthestOf(pieces);
  const expected = last && { to: last.to, sha256: await readTailDigest(store, last, { signal }) };
  const arrival = createArrival(store, options, expected);
  const consolidatedTo = Math.max(0, ...pieces.flatMap(({ from, to }) => (from === 0 ? [to] : [])));
  let shipped = last?.to ?? 0;
  let waiting: Buffer[] = [];
  const put = (from: number, parts: readonly Buffer[], sha256: string): Promise<TailPiece> =>
    putTailPiece(
      store,
      { segmentName, from, bytes: Buffer.concat(parts), sha256, systemIdentifier },
      { level, signal },
    );
  const consolidation = createConsolidation({
    since: pieces.filter(({ from }) => from >= consolidatedTo).length,
    put: (parts, sha256) => put(0, parts, sha256),
    onConsolidated,
  });
  return {
    segmentName,
    get position() {
      return arrival.position;
    },
    get shipped() {
      return arrival.isProved ? shipped : 0;
    },
    get waiting() {
      return Math.max(0, arrival.position - shipped);
    },
    push(bytes) {
      const fresh = arrival.take(bytes);
      if (fresh.length > 0) waiting.push(fresh);
    },
    async ship() {
      consolidation.requireSuccess();
      if (arrival.position <= shipped) return undefined;
      // What arrives from here on belongs to the next piece.
      const sent = waiting;
      waiting = [];
      const [to, sha256, whole] = [arrival.position, arrival.digest(), arrival.whole()];
      try {
        const piece = await put(shipped, sent, sha256);
        shipped = to;
        if (whole !== undefined) consolidation.shipped(whole, sha256);
        return piece;
      } catch (error) {
        waiting = [...sent, ...waiting];
        throw error;
      }
    },
    idle: () => consolidation.idle(),
  };
}

function furthestOf(pieces: readonly TailPiece[]): TailPiece | undefined {
  return pieces.reduce<TailPiece | undefined>(
    (furthest, piece) => (furthest === undefined || piece.to > furthest.to ? piece : furthest),
    undefined,
  );
}

/** The bytes of a segment as the server sends them, from its start. */
interface Arrival {
  readonly position: number;
  /** The digest is that of all bytes of an earlier run: until its end has arrived, none of them is proved. */
  readonly isProved: boolean;
  /** Takes the next bytes, and gives those that are in no piece yet. Throws `WAL_CONFLICT`. */
  take(bytes: Buffer): Buffer;
  /** SHA-256 of all that has arrived, in hexadecimal. */
  digest(): string;
  /** All that has arrived; undefined for a segment that is too large to be held. */
  whole(): readonly Buffer[] | undefined;
}

function createArrival(
  store: ObjectStore,
  { segmentName, segmentSize }: SegmentTailOptions,
  expected: { readonly to: number; readonly sha256: string } | undefined,
): Arrival {
  const held: Buffer[] | undefined = segmentSize <= LARGEST_CONSOLIDATED ? [] : undefined;
  const hash = createHash("sha256");
  let position = 0;
  let isProved = expected === undefined;
  const digest = (): string => hash.copy().digest("hex");
  const add = (bytes: Buffer): void => {
    hash.update(bytes);
    held?.push(bytes);
    position += bytes.length;
  };
  return {
    get position() {
      return position;
    },
    get isProved() {
      return isProved;
    },
    take(bytes) {
      const known = bytes.subarray(0, Math.max(0, (expected?.to ?? 0) - position));
      if (known.length > 0) add(known);
      if (known.length > 0 && position === expected?.to) {
        if (digest() !== expected.sha256) throw otherHistory(store, segmentName, position);
        isProved = true;
      }
      const fresh = bytes.subarray(known.length);
      if (fresh.length > 0) add(fresh);
      return fresh;
    },
    digest,
    whole: () => held?.slice(),
  };
}

function otherHistory(store: ObjectStore, segmentName: string, position: number): SoarError {
  return new SoarError(
    "WAL_CONFLICT",
    `unable to ship the tail of '${segmentName}': its first ${position} bytes are not those in '${store.location}'`,
    {
      hint: "This server's volume was rolled back to an older state. Nothing was overwritten. Begin a new archive epoch: set BACKUP_BUCKET to a new prefix, restart the archiver, run soar-base-backup at once, and keep the old prefix for restores to before (runbook: The volume was rolled back).",
    },
  );
}
