import { lsnOfSegmentIndex, type Lsn } from "@soar/pg-tools";
import type { WalChain } from "@soar/repository/chain";

/**
 * The part of a chain that ends at `stopLsn`: what lies behind it is not delivered, and the rest of its segment is zeros. For
 * a recovery that PostgreSQL is given no target for, because it is to end with the WAL, where the WAL of that timeline goes on.
 */
export function endChain(chain: WalChain, stopLsn: Lsn): WalChain {
  const startsBefore = chain.segments.filter(({ index }) => lsnOfSegmentIndex(index, chain.segmentSize) < stopLsn);
  const last = startsBefore.at(-1);
  if (last === undefined) return chain;
  const endIndex = last.index + 1;
  const isWithin = stopLsn < lsnOfSegmentIndex(endIndex, chain.segmentSize);
  const cutLsn = isWithin && (last.cutLsn === undefined || stopLsn < last.cutLsn) ? stopLsn : last.cutLsn;
  return { ...chain, segments: [...startsBefore.slice(0, -1), { ...last, cutLsn }], endIndex, lastIndex: last.index };
}
