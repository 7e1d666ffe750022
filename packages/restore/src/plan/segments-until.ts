import { segmentIndexOfLsn, type Lsn } from "@soar/pg-tools";
import type { ChainSegment, WalChain } from "@soar/repository/chain";

/** The segments that recovery reads to get to `stopLsn`. */
export function segmentsUntil(chain: WalChain, stopLsn: Lsn): readonly ChainSegment[] {
  const last = segmentIndexOfLsn(stopLsn, chain.segmentSize);
  return chain.segments.filter(({ index }) => index <= last);
}
