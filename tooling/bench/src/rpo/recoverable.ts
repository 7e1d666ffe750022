import { createWalScanner } from "@soar/pg-tools/wal-records";
import { appendTail, readChainSegment, readWalChain } from "@soar/repository/chain";
import type { ObjectStore } from "@soar/storage";

export interface ChainStart {
  readonly segmentSize: number;
  /** Number of the first segment of timeline 1 that counts. */
  readonly fromIndex: number;
}

/**
 * Transactions whose commit a restore of this moment would replay, read as a restore reads: the chain of archived segments
 * without a hole, the tail behind it, every record verified.
 */
export async function recoverableCommits(
  store: ObjectStore,
  { segmentSize, fromIndex }: ChainStart,
): Promise<ReadonlySet<number>> {
  const chain = await appendTail(
    store,
    await readWalChain(store, { timeline: 1, entries: [] }, segmentSize, fromIndex),
  );
  const [first] = chain.segments;
  if (first === undefined) return new Set();
  const scanner = createWalScanner({ name: first.name });
  const xids = new Set<number>();
  for (const segment of chain.segments) {
    for await (const piece of readChainSegment(store, segment, segmentSize)) {
      for (const record of scanner.push(piece)) if (record.kind === "commit") xids.add(record.xid);
    }
  }
  for (const record of scanner.finish()) if (record.kind === "commit") xids.add(record.xid);
  return xids;
}
