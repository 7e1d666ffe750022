import { formatWalSegment, lsnOfSegmentIndex, timelineOfSegment } from "@soar/pg-tools";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { readTail } from "../tail/tail-read.ts";
import type { ChainSegment, WalChain } from "./wal-chain.ts";

/**
 * Continues a chain with what was shipped of segments that were never archived: the last commits of a server that is gone.
 * Each tail is frozen by its digest, because PostgreSQL asks for a segment twice and the archiver may go on meanwhile.
 * Behind a hole nothing is added, and of a timeline only what the chain's lineage gives to it.
 */
export async function appendTail(store: ObjectStore, chain: WalChain, options: CallOptions = {}): Promise<WalChain> {
  if (chain.holes.length > 0) return chain;
  const segments = [...chain.segments];
  const last = segments.at(-1);
  // A sibling's copy ends at the switch; the timeline's own tail goes further.
  if (last?.cutLsn !== undefined) {
    const own = await tailSegment(store, chain, last.index, options);
    if (
      own?.tail !== undefined &&
      lsnOfSegmentIndex(last.index, chain.segmentSize) + BigInt(own.tail.size) > last.cutLsn
    )
      segments[segments.length - 1] = own;
  }
  let endIndex = chain.endIndex;
  for (let isWhole = segments.at(-1)?.cutLsn === undefined; isWhole;) {
    const next = await tailSegment(store, chain, endIndex, options);
    if (next?.tail === undefined) break;
    segments.push(next);
    endIndex += 1;
    isWhole = next.tail.size === chain.segmentSize;
  }
  return { ...chain, segments, endIndex, lastIndex: segments.at(-1)?.index };
}

async function tailSegment(
  store: ObjectStore,
  chain: WalChain,
  index: number,
  options: CallOptions,
): Promise<ChainSegment | undefined> {
  const timeline = timelineOfSegment(chain.history, index, chain.segmentSize);
  const name = formatWalSegment({ timeline, index }, chain.segmentSize);
  const tail = await readTail(store, name, { ...options, segmentSize: chain.segmentSize });
  const piece = tail?.pieces.at(-1);
  if (tail === undefined || piece === undefined) return undefined;
  const size = tail.pieces.reduce((sum, { size: stored }) => sum + stored, 0);
  return {
    index,
    timeline,
    name,
    object: { name, key: piece.key, codec: "zstd", size },
    cutLsn: undefined,
    tail: { size: tail.bytes.length, sha256: tail.sha256 },
  };
}
