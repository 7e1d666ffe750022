import { SoarError } from "@soar/errors";
import { lsnOfSegmentIndex, type Lsn } from "@soar/pg-tools";
import { createWalScanner, type TransactionEnd, type WalRecord, type WalScanner } from "@soar/pg-tools/wal-records";
import { scanChainSegment, type ChainSegment, type WalChain } from "@soar/repository/chain";
import type { WalDescription } from "@soar/repository/wal";
import type { CallOptions, ObjectStore } from "@soar/storage";
import type { SegmentDescriptions } from "./segment-descriptions.ts";

/** What is looked for; segments that cannot hold it are recognised by their descriptions and not downloaded. */
export interface ChainPosition {
  /** Microseconds since 1970 UTC: only segments that may hold a transaction end *after* this time matter. */
  readonly untilTime?: bigint | undefined;
  readonly restorePoint?: string | undefined;
  readonly lsn?: Lsn | undefined;
}

export interface ReadChainOptions extends CallOptions {
  readonly descriptions: SegmentDescriptions;
}

/** Descriptions are one small request each: this many are under way at once. */
const DESCRIPTIONS_AT_ONCE = 16;

/**
 * Yields the records of a chain that mean something for recovery, in LSN order, leaving out whole segments that cannot
 * hold what is looked for. The last segment that was left out is read too, so that the record before the wanted one is
 * known. Times are not in LSN order, so no segment is skipped by where it stands, only by what it says of itself.
 */
export async function* readChainRecords(
  store: ObjectStore,
  chain: WalChain,
  wanted: ChainPosition,
  options: ReadChainOptions,
): AsyncGenerator<WalRecord> {
  const first = await findFirstCandidate(chain, wanted, options);
  // One earlier for the last replayed commit; a record that crosses into the candidate begins there as well.
  const from = Math.max(0, (first ?? fallback(chain, wanted)) - 1);
  const segments = chain.segments.slice(from);
  const [start] = segments;
  if (start === undefined) return;
  const scanner = createWalScanner({ name: start.name, everyRecord: wanted.lsn !== undefined || isWhole(wanted) });
  for (const segment of segments) yield* readSegment(store, chain, segment, scanner, options);
  yield* scanner.finish();
}

/**
 * Where to read from when no segment says that it holds what is wanted: only the last segment for a time, to tell the
 * last commit; everything for a restore point, whose record may cross from one segment into the next.
 */
function fallback(chain: WalChain, wanted: ChainPosition): number {
  return wanted.restorePoint === undefined ? chain.segments.length : 0;
}

export interface ChainEnd {
  /** End of the last valid record: where recovery finds nothing more. */
  readonly endLsn: Lsn;
  /** The last transaction that ended, as far as it was looked for. */
  readonly lastCommit: TransactionEnd | undefined;
}

/**
 * Reads where the WAL of a chain ends. The last segment suffices, unless one record fills it: then earlier ones are read
 * until a record begins.
 */
export async function findChainEnd(store: ObjectStore, chain: WalChain, options: CallOptions = {}): Promise<ChainEnd> {
  for (let from = chain.segments.length - 1; from >= 0; from -= 1) {
    const segments = chain.segments.slice(from);
    const [start] = segments;
    if (start === undefined) break;
    const scanner = createWalScanner({ name: start.name });
    let lastCommit: TransactionEnd | undefined;
    for (const segment of segments)
      for await (const record of readSegment(store, chain, segment, scanner, options))
        if (isTransactionEnd(record)) lastCommit = record;
    for (const record of scanner.finish()) if (isTransactionEnd(record)) lastCommit = record;
    const startLsn = lsnOfSegmentIndex(start.index, chain.segmentSize);
    const foundRecord = scanner.validEndLsn > startLsn || !scanner.startsInsideRecord;
    if (
      foundRecord &&
      (lastCommit !== undefined || from === 0 || chain.segments.length - from >= COMMIT_SEARCH_SEGMENTS)
    )
      return { endLsn: scanner.validEndLsn, lastCommit };
  }
  throw new SoarError(
    "WAL_INVALID",
    "unable to find the end of the WAL: no record begins in any segment of the chain",
    { hint: "Run soar-backup-verify: the segments are damaged." },
  );
}

/** How far back the last commit is looked for: it is for the report only. */
const COMMIT_SEARCH_SEGMENTS = 4;

export function isTransactionEnd(record: WalRecord): record is TransactionEnd {
  return (
    record.kind === "commit" ||
    record.kind === "commit-prepared" ||
    record.kind === "abort" ||
    record.kind === "abort-prepared"
  );
}

async function* readSegment(
  store: ObjectStore,
  { segmentSize }: WalChain,
  segment: ChainSegment,
  scanner: WalScanner,
  options: CallOptions,
): AsyncGenerator<WalRecord> {
  for await (const piece of scanChainSegment(store, segment, segmentSize, options)) yield* scanner.push(piece);
}

/** Position in the chain of the first segment that may hold what is wanted; undefined when none says so. */
async function findFirstCandidate(
  chain: WalChain,
  wanted: ChainPosition,
  options: ReadChainOptions,
): Promise<number | undefined> {
  if (isWhole(wanted)) return chain.segments.length === 0 ? undefined : 0;
  for (let offset = 0; offset < chain.segments.length; offset += DESCRIPTIONS_AT_ONCE) {
    const batch = chain.segments.slice(offset, offset + DESCRIPTIONS_AT_ONCE);
    const answers = await Promise.all(batch.map((segment) => mayHold(chain, segment, wanted, options)));
    const found = answers.indexOf(true);
    if (found >= 0) return offset + found;
  }
  return undefined;
}

async function mayHold(
  chain: WalChain,
  segment: ChainSegment,
  wanted: ChainPosition,
  { descriptions }: ReadChainOptions,
): Promise<boolean> {
  if (wanted.lsn !== undefined) return lsnOfSegmentIndex(segment.index + 1, chain.segmentSize) > wanted.lsn;
  const description = await descriptions.of(segment);
  if (description === undefined) return true;
  return wanted.restorePoint === undefined
    ? mayEndAfter(description, wanted.untilTime)
    : mayName(description, wanted.restorePoint);
}

function mayEndAfter({ tx, open }: WalDescription, time: bigint | undefined): boolean {
  if (time === undefined || tx === undefined || open === true) return true;
  return tx.last !== undefined && BigInt(tx.last) > time;
}

function mayName({ rp, rpMore, tx }: WalDescription, name: string): boolean {
  return tx === undefined || rpMore !== undefined || (rp?.includes(name) ?? false);
}

function isWhole(wanted: ChainPosition): boolean {
  return wanted.untilTime === undefined && wanted.restorePoint === undefined && wanted.lsn === undefined;
}
