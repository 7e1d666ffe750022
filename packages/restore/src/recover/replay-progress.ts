import { lsnOfSegmentIndex } from "@soar/pg-tools";
import type { RecoveryEvent } from "@soar/pg-tools/cluster";
import { readWalDescription } from "@soar/repository/wal";
import type { ChainSegment } from "@soar/repository/chain";
import type { ObjectStore } from "@soar/storage";
import type { RestorePlan } from "../plan/plan.ts";
import type { RecordKeeper } from "../status/record-keeper.ts";
import type { SpoolEvent } from "../wal/spool/open-spool.ts";
import { segmentsUntil } from "../plan/segments-until.ts";

const INTERVAL_MS = 1000;

/** Recovery is at least here; the commit time where the segment tells. */
export interface ReplayProgress {
  readonly type: "replayed";
  readonly lsn: bigint;
  readonly time: bigint | undefined;
  readonly segments: number;
  readonly total: number;
}

export interface ReportReplayOptions {
  readonly onEvent?: ((event: RecoveryEvent | SpoolEvent | ReplayProgress) => void) | undefined;
  readonly keeper: Pick<RecordKeeper, "replayed">;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Adds to the events of recovery how far it has got: the delivery of a segment shows that the one before was replayed, and
 * what that one says of itself tells the time of its last commit. At most one small request a second.
 */
export function reportReplay(
  store: ObjectStore,
  plan: RestorePlan,
  { onEvent, keeper, signal }: ReportReplayOptions,
): (event: RecoveryEvent | SpoolEvent) => void {
  const segments = segmentsUntil(plan.chain, plan.resolved.stopLsn);
  let last = -Infinity;
  return (event) => {
    onEvent?.(event);
    if (event.type !== "file-restored" || performance.now() - last < INTERVAL_MS) return;
    const at = segments.findIndex(({ name }) => name === event.name);
    const segment = segments[at];
    if (segment === undefined) return;
    last = performance.now();
    const lsn = lsnOfSegmentIndex(segment.index, plan.chain.segmentSize);
    void lastCommitOf(store, segments[at - 1], signal).then((time) => {
      onEvent?.({ type: "replayed", lsn, time, segments: at, total: segments.length });
      if (time !== undefined) keeper.replayed(new Date(Number(time / 1000n)).toISOString());
    });
  };
}

/** Undefined where the segment does not tell, or cannot be read, for whatever reason: a display ends no recovery. */
async function lastCommitOf(
  store: ObjectStore,
  segment: ChainSegment | undefined,
  signal: AbortSignal | undefined,
): Promise<bigint | undefined> {
  if (segment === undefined || segment.tail !== undefined || segment.object.codec === "none") return undefined;
  try {
    const { description } = await readWalDescription(store, segment.object, { signal });
    return description.tx?.last === undefined ? undefined : BigInt(description.tx.last);
  } catch {
    return undefined;
  }
}
