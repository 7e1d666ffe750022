import { setTimeout as delay } from "node:timers/promises";
import { SoarError } from "@soar/errors";
import { lsnOfSegmentIndex, segmentIndexOfLsn, type TimelineHistory } from "@soar/pg-tools";
import {
  connectReplication,
  identifySystem,
  showSetting,
  streamWal,
  timelineHistory,
  type ReplicationConnection,
} from "@soar/pg-tools/replication";
import type { ObjectStore } from "@soar/storage";
import { createArchiveContinuity } from "./archive-continuity.ts";
import { requireNoRollback } from "./require-no-rollback.ts";
import { createShipSchedule } from "./ship-schedule.ts";
import { createStreamShipper, type StreamShipper } from "./stream-shipper.ts";
import type { TailOptions } from "./tail-options.ts";

/** How often it is looked whether the archive has caught up with the beginning of the tail. */
const REPORT_MS = 250;

/**
 * One connection: streams WAL from the start of the current segment and ships it, until the timeline ends. Rejects when the
 * connection or the store fails, with `WAL_CONFLICT` when the bucket knows another history, with `REPOSITORY_FOREIGN` for
 * another cluster.
 */
export async function streamTail(store: ObjectStore, options: TailOptions): Promise<void> {
  const { server, slot, cluster, onEvent } = options;
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  await using connection = await connectReplication({ ...server, applicationName: "soar" }, { signal });
  const { history, startLsn } = await locate(store, connection, options);
  const { timeline } = history;
  const continuity = createArchiveContinuity(store, { ...options, history, segmentSize: cluster.walSegmentSize });
  const isReporting = slot !== undefined || options.synchronous === true;
  if (isReporting) await continuity.look(segmentIndexOfLsn(startLsn, cluster.walSegmentSize));
  const stream = streamWal(connection, {
    startLsn,
    timeline,
    slot,
    durableLsn: continuity.index === undefined ? undefined : startLsn,
    signal,
  });
  const shipper = createStreamShipper(store, { ...options, continuity, timeline, startLsn, stream, signal });
  const intervalMs = options.synchronous === true ? 0 : options.intervalMs;
  const schedule = createShipSchedule({
    intervalMs,
    ship: () => shipper.ship(),
    onFailure: (error) => failure.abort(error),
  });
  onEvent?.({ type: "tail-connected", timeline, startLsn });
  const ended = new AbortController();
  const reporting = isReporting
    ? keepReporting(shipper, AbortSignal.any([signal, ended.signal])).catch((error: unknown) => failure.abort(error))
    : undefined;
  try {
    for await (const event of stream) {
      if (event.type !== "data") continue;
      await shipper.take(event.startLsn, event.chunk);
      if (shipper.isBehind) schedule.wake();
      await shipper.drained(signal);
    }
  } catch (error) {
    // A failed shipment ends the stream; its own words say why.
    throw failure.signal.aborted ? failure.signal.reason : error;
  } finally {
    ended.abort();
    await Promise.all([schedule.stop(), reporting]);
    await shipper.idle();
  }
  // The timeline has ended: what is left of it is shipped before the next one is followed.
  await shipper.ship();
}

/** Looks again and again until the signal aborts: the archive may have caught up, or the stream come to another segment. */
async function keepReporting(shipper: StreamShipper, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await shipper.report();
    await delay(REPORT_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function locate(
  store: ObjectStore,
  connection: ReplicationConnection,
  { cluster, synchronous, signal }: TailOptions,
): Promise<{ history: TimelineHistory; startLsn: bigint }> {
  if (synchronous === true) await refuseRemoteApply(connection, signal);
  const { systemIdentifier, timeline, walLsn } = await identifySystem(connection, { signal });
  if (systemIdentifier !== cluster.systemIdentifier) {
    throw new SoarError(
      "REPOSITORY_FOREIGN",
      `unable to ship WAL of '${connection.location}': its system identifier is ${systemIdentifier}, that of the data directory is ${cluster.systemIdentifier}`,
      {
        hint: "PGHOST and PGPORT have to lead to the server whose data directory is given with --data-dir.",
      },
    );
  }
  const segmentSize = cluster.walSegmentSize;
  // A standby is behind its primary, which ships to the same bucket: that is no rollback.
  if ((await showSetting(connection, "in_hot_standby", { signal })) === "off")
    await requireNoRollback(store, { timeline, walLsn, segmentSize }, { signal });
  const history =
    timeline === 1 ? { timeline, entries: [] } : (await timelineHistory(connection, timeline, { signal })).history;
  return { history, startLsn: lsnOfSegmentIndex(segmentIndexOfLsn(walLsn, segmentSize), segmentSize) };
}

/** Nothing is applied here, so a commit that waits for that would be told a lie. */
async function refuseRemoteApply(connection: ReplicationConnection, signal: AbortSignal): Promise<void> {
  if ((await showSetting(connection, "synchronous_commit", { signal })) !== "remote_apply") return;
  throw new SoarError(
    "SERVER_UNSUITABLE",
    `unable to ship WAL of '${connection.location}' synchronously: synchronous_commit is remote_apply`,
    {
      hint: "A bucket applies nothing. Set synchronous_commit = on, which waits until a commit is in the bucket.",
    },
  );
}
