import { formatWalSegment, lsnOfSegmentIndex, segmentIndexOfLsn } from "@soar/pg-tools";
import type { WalStream } from "@soar/pg-tools/replication";
import type { ObjectStore } from "@soar/storage";
import type { ArchiveContinuity } from "./archive-continuity.ts";
import { openSegmentTail, type SegmentTail } from "./segment-tail.ts";
import type { TailOptions } from "./tail-options.ts";

export interface StreamShipperOptions extends TailOptions {
  readonly timeline: number;
  /** Where the stream starts. */
  readonly startLsn: bigint;
  readonly stream: Pick<WalStream, "report">;
  readonly continuity: ArchiveContinuity;
}

/** The segments of one stream, one after the other. */
export interface StreamShipper {
  take(startLsn: bigint, chunk: Buffer): Promise<void>;
  /** Ships what has arrived; calls wait for each other. */
  ship(): Promise<void>;
  /** Tells the server what is in the bucket, if that has changed and may be told. Rejects when the store cannot be asked. */
  report(): Promise<void>;
  readonly isBehind: boolean;
  /** Resolves when nothing is on its way, whether that succeeded or not. */
  idle(): Promise<void>;
  /** Resolves when there is room for more. */
  drained(signal: AbortSignal): Promise<void>;
}

/** A store that is slow may hold up so many bytes; then the server's socket does. */
const LARGEST_WAITING = 32 * 1024 * 1024;

export function createStreamShipper(store: ObjectStore, options: StreamShipperOptions): StreamShipper {
  const { synchronous, startLsn: streamStart, onEvent } = options;
  const segmentSize = options.cluster.walSegmentSize;
  const reporter = createReporter(options);
  let tail: SegmentTail | undefined;
  let index = segmentIndexOfLsn(streamStart, segmentSize);
  let shipping = Promise.resolve();
  /** What is still on its way of segments that are full: should it fail, the archive has them. */
  let left: Promise<unknown> = Promise.resolve();
  const waiting = (): number => tail?.waiting ?? 0;
  const gate = createGate(waiting);
  const endOfShipped = (): bigint => lsnOfSegmentIndex(index, segmentSize) + BigInt(tail?.shipped ?? 0);
  const shipNow = async (): Promise<void> => {
    const startedAt = performance.now();
    const base = lsnOfSegmentIndex(index, segmentSize);
    const piece = await tail?.ship();
    gate.look();
    if (piece === undefined) return;
    const endLsn = base + BigInt(piece.to);
    reporter.report(endLsn);
    onEvent?.({
      type: "tail-shipped",
      segmentName: piece.segmentName,
      endLsn,
      bytes: piece.to - piece.from,
      storedBytes: piece.size,
      durationMs: performance.now() - startedAt,
    });
  };
  const shipper: StreamShipper = {
    get isBehind() {
      return waiting() > 0;
    },
    async report() {
      await reporter.look(index);
      reporter.report(endOfShipped());
    },
    async take(startLsn, chunk) {
      for (const { of, bytes } of cutAtSegments(startLsn, chunk, segmentSize)) {
        if (of !== index || tail === undefined) {
          // A full segment goes to the archive as a whole, in the same moment, so its last piece is worth something only to
          // a commit that waits. A shipment of it that has begun is finished either way.
          await (synchronous === true ? shipper.ship() : shipping);
          const next = await openTail(store, of, options);
          // A shipment may have begun meanwhile: it belongs to the segment before, and both change at once.
          await shipping;
          left = Promise.all([left, tail?.idle()]);
          [tail, index] = [next, of];
        }
        if (pushed(tail, bytes) === "found")
          onEvent?.({ type: "tail-found", segmentName: tail.segmentName, endLsn: endOfShipped() });
      }
    },
    ship() {
      shipping = shipping.then(shipNow);
      return shipping;
    },
    async idle() {
      await Promise.all([shipping.catch(() => undefined), tail?.idle(), left]);
    },
    drained: (until) => gate.drained(until),
  };
  return shipper;
}

/** Whether the pieces of an earlier run were proved by these bytes: nothing was sent, and something is there. */
function pushed(tail: SegmentTail, bytes: Buffer): "found" | undefined {
  const before = tail.shipped;
  tail.push(bytes);
  return before === 0 && tail.shipped > 0 ? "found" : undefined;
}

/** A chunk of the stream by the segments that it lies in, in their order. */
function* cutAtSegments(
  startLsn: bigint,
  chunk: Buffer,
  segmentSize: number,
): Generator<{ readonly of: number; readonly bytes: Buffer }, void, void> {
  for (let offset = 0; offset < chunk.length;) {
    const lsn = startLsn + BigInt(offset);
    const of = segmentIndexOfLsn(lsn, segmentSize);
    const bytes = chunk.subarray(offset, offset + segmentSize - Number(lsn - lsnOfSegmentIndex(of, segmentSize)));
    yield { of, bytes };
    offset += bytes.length;
  }
}

function openTail(
  store: ObjectStore,
  index: number,
  {
    cluster: { walSegmentSize: segmentSize, systemIdentifier },
    timeline,
    level,
    onEvent,
    signal,
  }: StreamShipperOptions,
): Promise<SegmentTail> {
  return openSegmentTail(store, {
    segmentName: formatWalSegment({ timeline, index }, segmentSize),
    segmentSize,
    systemIdentifier,
    level,
    onConsolidated: ({ segmentName, to, size }) =>
      onEvent?.({ type: "tail-consolidated", segmentName, bytes: to, storedBytes: size }),
    signal,
  });
}

/** Holds a reader up while too much waits. */
function createGate(waiting: () => number): { look(): void; drained(until: AbortSignal): Promise<void> } {
  let wake: (() => void) | undefined;
  return {
    look: () => wake?.(),
    async drained(until) {
      while (waiting() > LARGEST_WAITING && !until.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          until.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    },
  };
}

/**
 * Positions for the server, never one behind a hole in the archive: restoring would end before it. In synchronous mode
 * the stream itself leaves no hole, so what it began behind stays known. Otherwise the end of a full segment is left to the
 * archive, so only whole segments count: a slot does not hold WAL for ever, and a server that takes any receiver for a
 * synchronous one is told no lie.
 */
function createReporter({ continuity, cluster, slot, synchronous, stream, onEvent }: StreamShipperOptions): {
  look(index: number): Promise<void>;
  report(durableLsn: bigint): void;
} {
  let last = 0n;
  return {
    async look(index) {
      if (synchronous !== true || continuity.index === undefined) await continuity.look(index);
    },
    report(durableLsn) {
      if (continuity.index === undefined || (synchronous !== true && slot === undefined)) return;
      const lsn = synchronous === true ? durableLsn : lsnOfSegmentIndex(continuity.index, cluster.walSegmentSize);
      if (lsn <= last) return;
      last = lsn;
      stream.report(lsn);
      if (synchronous === true) onEvent?.({ type: "tail-confirmed", lsn });
    },
  };
}
