import { segmentIndexOfLsn, type Lsn } from "@soar/pg-tools";
import { createWalScanner, isTransactionEnd } from "@soar/pg-tools/wal-records";
import { scanChainSegment, type ChainSegment, type WalChain } from "@soar/repository/chain";
import type { WalDescription } from "@soar/repository/wal";
import type { ObjectStore } from "@soar/storage";
import type { ReadChainOptions } from "./read-chain-records.ts";

/** Transactions that ended so near to the target that a clock may not tell them from it. */
export interface CommitsNearby {
  /** Within a second of the target's time, replayed. */
  readonly replayed: number;
  /** Within a second of it, left out. */
  readonly leftOut: number;
  /** False when there may be more of them: on a very busy server a second fills many segments. */
  readonly isComplete: boolean;
}

const NEARBY_MICROS = 1_000_000n;
/** Segments that are looked at on either side of the one in which recovery ends. */
const LOOK_AROUND = 3;

/** Counts them from the records themselves, in the segments that may hold any by what they say of themselves. */
export async function countCommitsNearby(
  store: ObjectStore,
  chain: WalChain,
  { stopLsn, time }: { readonly stopLsn: Lsn; readonly time: bigint },
  options: ReadChainOptions,
): Promise<CommitsNearby> {
  const middle = chain.segments.findIndex(({ index }) => index === segmentIndexOfLsn(stopLsn - 1n, chain.segmentSize));
  const isNear = async (segment: ChainSegment | undefined): Promise<boolean> =>
    segment !== undefined && mayBeNear(await options.descriptions.of(segment), time);
  let [from, to] = [Math.max(0, middle), Math.max(0, middle)];
  while (middle - from < LOOK_AROUND && (await isNear(chain.segments[from - 1]))) from -= 1;
  while (to - middle < LOOK_AROUND && (await isNear(chain.segments[to + 1]))) to += 1;
  const isComplete = !(
    (middle - from === LOOK_AROUND && (await isNear(chain.segments[from - 1]))) ||
    (to - middle === LOOK_AROUND && (await isNear(chain.segments[to + 1])))
  );
  return { ...(await count(store, chain, chain.segments.slice(from, to + 1), { stopLsn, time, options })), isComplete };
}

/** Records that end in the next segment are counted there, so a segment before one that ends open matters too. */
function mayBeNear(description: WalDescription | undefined, time: bigint): boolean {
  if (description?.tx === undefined || description.open === true) return true;
  const { first, last } = description.tx;
  return (
    first !== undefined &&
    last !== undefined &&
    BigInt(last) >= time - NEARBY_MICROS &&
    BigInt(first) <= time + NEARBY_MICROS
  );
}

interface CountOptions {
  readonly stopLsn: Lsn;
  readonly time: bigint;
  readonly options: ReadChainOptions;
}

async function count(
  store: ObjectStore,
  { segmentSize }: WalChain,
  segments: readonly ChainSegment[],
  { stopLsn, time, options }: CountOptions,
): Promise<Pick<CommitsNearby, "replayed" | "leftOut">> {
  const counted = { replayed: 0, leftOut: 0 };
  const [first] = segments;
  if (first === undefined) return counted;
  const scanner = createWalScanner({ name: first.name });
  const add = (records: Iterable<Parameters<typeof isTransactionEnd>[0]>): void => {
    for (const record of records) {
      if (!isTransactionEnd(record) || record.time < time - NEARBY_MICROS || record.time > time + NEARBY_MICROS)
        continue;
      if (record.lsn < stopLsn) counted.replayed += 1;
      else counted.leftOut += 1;
    }
  };
  for (const segment of segments)
    for await (const piece of scanChainSegment(store, segment, segmentSize, options)) add(scanner.push(piece));
  add(scanner.finish());
  return counted;
}
