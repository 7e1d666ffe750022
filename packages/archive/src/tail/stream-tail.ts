import { SoarError } from "@soar/errors";
import { connectReplication, identifySystem, lsnOfSegmentIndex, segmentIndexOfLsn, showSetting, streamWal, type ReplicationConnection, type ServerConfig } from "@soar/pg-tools";
import type { ClusterIdentity } from "@soar/repository";
import type { ObjectStore } from "@soar/storage";
import { requireNoRollback } from "./require-no-rollback.ts";
import { createShipSchedule } from "./ship-schedule.ts";
import type { TailEvent } from "./tail-event.ts";
import { createTailLine } from "./tail-line.ts";

export interface TailOptions {
  readonly server: ServerConfig;
  readonly cluster: ClusterIdentity;
  /** New bytes are shipped at most so often. */
  readonly intervalMs: number;
  /** A physical slot that exists; without one the server may remove WAL before it was shipped, and never fills its disk. */
  readonly slot?: string | undefined;
  readonly level?: number | undefined;
  /**
   * With it COMMIT can wait for the bucket (`synchronous_standby_names = 'soar'`): pieces go back to back, full segments
   * too, and a position is reported as soon as it is in the bucket, but only once everything before is. The function says
   * whether all WAL before a position is archived.
   */
  readonly synchronous?: { readonly isArchivedBefore: (lsn: bigint) => boolean } | undefined;
  readonly onEvent?: ((event: TailEvent) => void) | undefined;
  readonly signal: AbortSignal;
}

/** How often it is looked whether the archive has caught up with the beginning of the tail, in synchronous mode. */
const REPORT_MS = 250;

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
  const line = createTailLine(store, { ...options, timeline, startLsn, stream, signal });
  const intervalMs = options.synchronous === undefined ? options.intervalMs : 0;
  const schedule = createShipSchedule({ intervalMs, ship: () => line.ship(), onFailure: (error) => failure.abort(error) });
  const timer = options.synchronous && setInterval(() => line.report(), REPORT_MS);
  onEvent?.({ type: "tail-connected", timeline, startLsn });
  try {
    for await (const event of stream) {
      if (event.type !== "data") continue;
      await line.take(event.startLsn, event.chunk);
      if (line.isBehind) schedule.wake();
      else line.report();
      await line.drained(signal);
    }
  } catch (error) {
    // A failed shipment ends the stream; its own words say why.
    throw failure.signal.aborted ? failure.signal.reason : error;
  } finally {
    clearInterval(timer);
    await schedule.stop();
  }
  // The timeline has ended: what is left of it is shipped before the next one is followed.
  await line.ship();
}

async function locate(store: ObjectStore, connection: ReplicationConnection, { cluster, synchronous, signal }: TailOptions): Promise<{ timeline: number; startLsn: bigint }> {
  if (synchronous !== undefined) await refuseRemoteApply(connection, signal);
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

/** Nothing is applied here, so a commit that waits for that would be told a lie. */
async function refuseRemoteApply(connection: ReplicationConnection, signal: AbortSignal): Promise<void> {
  if ((await showSetting(connection, "synchronous_commit", { signal })) !== "remote_apply") return;
  throw new SoarError("SERVER_UNSUITABLE", `unable to ship WAL of '${connection.location}' synchronously: synchronous_commit is remote_apply`, {
    hint: "A bucket applies nothing. Set synchronous_commit = on, which waits until a commit is in the bucket.",
  });
}
