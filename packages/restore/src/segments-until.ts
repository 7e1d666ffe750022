import { segmentIndexOfLsn, type Lsn } from "@soar/pg-tools";
import type { ChainSegment, WalChain } from "@soar/repository";

/** The segments that recovery reads to get to `stopLsn`; all of them when it goes to the end. */
export function segmentsUntil(chain: WalChain, stopLsn: Lsn | undefined): readonly ChainSegment[] {
  if (stopLsn === undefined) return chain.segments;
  const last = segmentIndexOfLsn(stopLsn, chain.segmentSize);
  return chain.segments.filter(({ index }) => index <= last);
}
