import { SoarError } from "@soar/errors";
import { connectReplication, formatWalSegment, identifySystem, lsnOfSegmentIndex, segmentIndexOfLsn, streamWal, type ReplicationConnection, type ServerConfig, type WalStream } from "@soar/pg-tools";
import type { ClusterIdentity } from "@soar/repository";
import type { ObjectStore } from "@soar/storage";
import { requireNoRollback } from "./require-no-rollback.ts";
import { openSegmentTail, type SegmentTail } from "./segment-tail.ts";
import { createShipSchedule } from "./ship-schedule.ts";
import type { TailEvent } from "./tail-event.ts";

export interface TailOptions {
  readonly server: ServerConfig;
  readonly cluster: ClusterIdentity;
  /** New bytes are shipped at most so often. */
  readonly intervalMs: number;
  /** A physical slot that exists; without one the server may remove WAL before it was shipped, and never fills its disk. */
  readonly slot?: string | undefined;
  readonly level?: number | undefined;
  readonly onEvent?: ((event: TailEvent) => void) | undefined;
  readonly signal: AbortSignal;
}

/** A store that is slow may hold up so many bytes; then the server's socket does. */
const LARGEST_WAITING = 32 * 1024 * 1024;

/**
 * One connection: streams WAL from the start of the current segment and ships it, until the timeline ends. Rejects when the
 * connection or the store fails, with `WAL_CONFLICT` when the bucket knows another history, with `REPOSITORY_FOREIGN` for
 * another cluster.
 */
export async function streamTail(store: ObjectStore, options: TailOptions): Promise<void> {
  const { server, slot, onEvent } = options;
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  await using connection = await connectReplication({ ...server, applicationName: "soar" }, { signal });
  const { timeline, startLsn } = await locate(store, connection, options);
  const stream = streamWal(connection, { startLsn, timeline, slot, signal });
  const line = createTailLine(store, { ...options, timeline, stream, signal });
  const schedule = createShipSchedule({ intervalMs: options.intervalMs, ship: () => line.ship(), onFailure: (error) => failure.abort(error) });
  onEvent?.({ type: "tail-connected", timeline, startLsn });
  try {
    for await (const event of stream) {
      if (event.type !== "data") continue;
      await line.take(event.startLsn, event.chunk);
      if (line.isBehind) schedule.wake();
      await line.drained(signal);
    }
  } catch (error) {
    // A failed shipment ends the stream; its own words say why.
    throw failure.signal.aborted ? failure.signal.reason : error;
  } finally {
    await schedule.stop();
  }
  // The timeline has ended: what is left of it is shipped before the next one is followed.
  await line.ship();
}

async function locate(store: ObjectStore, connection: ReplicationConnection, { cluster, signal }: TailOptions): Promise<{ timeline: number; startLsn: bigint }> {
  const { systemIdentifier, timeline, walLsn } = await identifySystem(connection, { signal });
  if (systemIdentifier !== cluster.systemIdentifier) {
    throw new SoarError("REPOSITORY_FOREIGN", `unable to ship WAL of '${connection.location}': its system identifier is ${systemIdentifier}, that of the data directory is ${cluster.systemIdentifier}`, {
      hint: "PGHOST and PGPORT have to lead to the server whose data directory is given with --data-dir.",
    });
  }
  const segmentSize = cluster.walSegmentSize;
  await requireNoRollback(store, { timeline, walLsn, segmentSize }, { signal });
  return { timeline, startLsn: lsnOfSegmentIndex(segmentIndexOfLsn(walLsn, segmentSize), segmentSize) };
}

interface TailLine {
  take(startLsn: bigint, chunk: Buffer): Promise<void>;
  ship(): Promise<void>;
  readonly isBehind: boolean;
  /** Resolves when there is room for more. */
  drained(signal: AbortSignal): Promise<void>;
}

/** The segments of one stream, one after the other. */
function createTailLine(store: ObjectStore, options: TailOptions & { readonly timeline: number; readonly stream: WalStream }): TailLine {
  const { cluster, timeline, stream, slot, level, signal, onEvent } = options;
  const segmentSize = cluster.walSegmentSize;
  let tail: SegmentTail | undefined;
  let index = -1;
  let wakeReader: (() => void) | undefined;
  const open = async (next: number): Promise<SegmentTail> => {
    index = next;
    tail = await openSegmentTail(store, { segmentName: formatWalSegment({ timeline, index }, segmentSize), segmentSize, systemIdentifier: cluster.systemIdentifier, level, signal });
    return tail;
  };
  const waiting = (): number => (tail === undefined ? 0 : tail.position - tail.shipped);
  return {
    get isBehind() {
      return waiting() > 0;
    },
    async take(startLsn, chunk) {
      for (let [lsn, rest] = [startLsn, chunk]; rest.length > 0; ) {
        const of = segmentIndexOfLsn(lsn, segmentSize);
        // A segment that is full goes to the archive as a whole, in the same moment: its last piece would be wasted.
        const current = of === index && tail !== undefined ? tail : await open(of);
        const room = Math.min(rest.length, segmentSize - Number(lsn - lsnOfSegmentIndex(of, segmentSize)));
        current.push(rest.subarray(0, room));
        lsn += BigInt(room);
        rest = rest.subarray(room);
      }
    },
    async ship() {
      const [shipping, startedAt] = [tail, performance.now()];
      const base = lsnOfSegmentIndex(index, segmentSize);
      const piece = await shipping?.ship();
      wakeReader?.();
      if (piece === undefined) return;
      const endLsn = base + BigInt(piece.to);
      if (slot !== undefined) stream.report(endLsn);
      onEvent?.({ type: "tail-shipped", segmentName: piece.segmentName, endLsn, bytes: piece.to - piece.from, storedBytes: piece.size, durationMs: performance.now() - startedAt });
    },
    async drained(until) {
      while (waiting() > LARGEST_WAITING && !until.aborted) {
        await new Promise<void>((resolve) => {
          wakeReader = resolve;
          until.addEventListener("abort", () => resolve(), { once: true });
        });
      }
    },
  };
}
