import { createHash } from "node:crypto";
import { SoarError } from "@soar/errors";
import { listTailPieces, putTailPiece, readTailDigest, type TailPiece } from "@soar/repository";
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
  const { segmentName, segmentSize, systemIdentifier, level, onConsolidated, signal } = options;
  const pieces = await listTailPieces(store, segmentName, { signal });
  const last = pieces.reduce<TailPiece | undefined>(
    (furthest, piece) => (furthest === undefined || piece.to > furthest.to ? piece : furthest),
    undefined,
  );
  const expected = last && { to: last.to, sha256: await readTailDigest(store, last, { signal }) };
  const whole: Buffer[] | undefined = segmentSize <= LARGEST_CONSOLIDATED ? [] : undefined;
  const hash = createHash("sha256");
  const consolidatedTo = Math.max(0, ...pieces.flatMap(({ from, to }) => (from === 0 ? [to] : [])));
  let [position, shipped] = [0, last?.to ?? 0];
  let waiting: Buffer[] = [];
  let isProved = expected === undefined;
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
  const take = (bytes: Buffer): void => {
    hash.update(bytes);
    whole?.push(bytes);
    position += bytes.length;
  };
  return {
    segmentName,
    get position() {
      return position;
    },
    get shipped() {
      // The digest is that of all bytes of an earlier run: until its end has arrived, none of them is proved.
      return isProved ? shipped : 0;
    },
    get waiting() {
      return Math.max(0, position - shipped);
    },
    push(bytes) {
      const known = Math.max(0, Math.min(bytes.length, (expected?.to ?? 0) - position));
      if (known > 0) take(bytes.subarray(0, known));
      if (known > 0 && position === expected?.to) {
        if (hash.copy().digest("hex") !== expected.sha256) throw otherHistory(store, segmentName, position);
        isProved = true;
      }
      if (known === bytes.length) return;
      take(bytes.subarray(known));
      waiting.push(bytes.subarray(known));
    },
    async ship() {
      consolidation.requireSuccess();
      if (position <= shipped) return undefined;
      // What arrives from here on belongs to the next piece.
      const sent = waiting;
      waiting = [];
      const [to, sha256, soFar] = [position, hash.copy().digest("hex"), whole?.length];
      try {
        const piece = await put(shipped, sent, sha256);
        shipped = to;
        if (whole !== undefined) consolidation.shipped(whole.slice(0, soFar), sha256);
        return piece;
      } catch (error) {
        waiting = [...sent, ...waiting];
        throw error;
      }
    },
    idle: () => consolidation.idle(),
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
