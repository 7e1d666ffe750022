import { lsnOfSegmentIndex } from "@soar/pg-tools";
import type { ObjectStore } from "@soar/storage";
import { getWalFile, type GetWalOptions } from "./get-wal.ts";
import type { ChainSegment } from "./wal-chain.ts";

/**
 * Yields the plain bytes of a segment of a chain, as recovery is given them: whole, or with zeros behind the LSN up to which
 * another timeline's copy holds the same. Proved only when the iteration has ended, as for `getWalFile`.
 */
export async function* readChainSegment(store: ObjectStore, segment: ChainSegment, segmentSize: number, options: GetWalOptions = {}): AsyncGenerator<Buffer> {
  const end = segment.cutLsn === undefined ? Infinity : Number(segment.cutLsn - lsnOfSegmentIndex(segment.index, segmentSize));
  let position = 0;
  for await (const piece of getWalFile(store, segment.object, options)) {
    const kept = Math.max(0, Math.min(piece.length, end - position));
    position += piece.length;
    yield kept === piece.length ? piece : Buffer.concat([piece.subarray(0, kept), Buffer.alloc(piece.length - kept)]);
  }
}
