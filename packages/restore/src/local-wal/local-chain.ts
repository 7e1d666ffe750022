import { createHash } from "node:crypto";
import type { TimelineHistory } from "@soar/pg-tools";
import { createWalScanner } from "@soar/pg-tools/wal-records";
import { scanChainSegment, readWalChain, type ChainSegment, type WalChain } from "@soar/repository/chain";
import { readTail } from "@soar/repository/tail";
import type { TimelineSegments } from "@soar/repository/wal";
import type { CallOptions, ObjectStore } from "@soar/storage";
import type { LocalWal } from "./read-local-wal.ts";

/** From where on a chain is read. */
export interface ChainStart {
  readonly history: TimelineHistory;
  readonly segmentSize: number;
  readonly fromIndex: number;
}

/**
 * The chain of the bucket, continued and mended with segments on this machine that the bucket lacks. Each run of them is
 * read to its end before it counts: behind a place where it is damaged, or does not follow on what the bucket holds before it,
 * there is nothing that recovery could use.
 */
export async function readChainWithLocal(
  store: ObjectStore,
  { history, segmentSize, fromIndex }: ChainStart,
  local: LocalWal,
  options: CallOptions = {},
): Promise<WalChain> {
  let usable: ReadonlyMap<number, TimelineSegments> = local.segments;
  for (;;) {
    const chain = await readWalChain(store, history, segmentSize, fromIndex, { ...options, local: usable });
    const unsound = await findUnsound(store, chain, options);
    if (unsound === undefined) return chain;
    usable = without(usable, unsound);
  }
}

/** Segments of a plan's chain that come from this machine. */
export function localSegments(segments: readonly ChainSegment[]): ChainSegment[] {
  return segments.filter(({ object }) => object.file !== undefined);
}

/** The first local segment that cannot be used as it is. */
async function findUnsound(
  store: ObjectStore,
  chain: WalChain,
  options: CallOptions,
): Promise<ChainSegment | undefined> {
  for (let at = 0; at < chain.segments.length; at += 1) {
    if (!isLocal(chain.segments[at])) continue;
    // The segment before shows whether the first record follows on it.
    const run = chain.segments.slice(Math.max(0, at - 1), runEnd(chain, at));
    const unsound = await checkRun(store, chain, run, options);
    if (unsound !== undefined) return unsound;
    at = runEnd(chain, at);
  }
  return undefined;
}

function runEnd({ segments }: WalChain, from: number): number {
  let end = from;
  while (isLocal(segments[end])) end += 1;
  return end;
}

function isLocal(segment: ChainSegment | undefined): boolean {
  return segment?.object.file !== undefined;
}

async function checkRun(
  store: ObjectStore,
  chain: WalChain,
  run: readonly ChainSegment[],
  options: CallOptions,
): Promise<ChainSegment | undefined> {
  const [first] = run;
  if (first === undefined) return undefined;
  const scanner = createWalScanner({ name: first.name });
  for (const segment of run) {
    for await (const piece of scanChainSegment(store, segment, chain.segmentSize, options)) scanner.push(piece);
    if (scanner.end === undefined || segment === chain.segments.at(-1)) continue;
    // In the bucket's own segment there is nothing to leave out; then nothing behind it counts.
    return isLocal(segment) ? (next(run, segment) ?? segment) : run.find(isLocal);
  }
  const last = run.at(-1);
  return last !== undefined &&
    isLocal(last) &&
    last === chain.segments.at(-1) &&
    (await disagreesWithTail(store, chain, last, options))
    ? last
    : undefined;
}

function next(run: readonly ChainSegment[], segment: ChainSegment): ChainSegment | undefined {
  return run[run.indexOf(segment) + 1];
}

/**
 * Whether the disk holds something else than what was shipped of an unfinished segment, which is proved by its digest: an
 * older state of it, or damage. Where the bytes agree, the disk has them all and perhaps more.
 */
async function disagreesWithTail(
  store: ObjectStore,
  { segmentSize }: WalChain,
  segment: ChainSegment,
  options: CallOptions,
): Promise<boolean> {
  const tail = await readTail(store, segment.name, { ...options, segmentSize });
  if (tail === undefined) return false;
  const hash = createHash("sha256");
  let remaining = tail.bytes.length;
  for await (const piece of scanChainSegment(store, segment, segmentSize, options)) {
    hash.update(piece.subarray(0, remaining));
    remaining = Math.max(0, remaining - piece.length);
  }
  return hash.digest("hex") !== tail.sha256;
}

function without(
  local: ReadonlyMap<number, TimelineSegments>,
  { timeline, index }: ChainSegment,
): Map<number, TimelineSegments> {
  return new Map(
    [...local].map(([number, own]) => [
      number,
      number === timeline ? { ...own, segments: new Map([...own.segments].filter(([other]) => other < index)) } : own,
    ]),
  );
}
