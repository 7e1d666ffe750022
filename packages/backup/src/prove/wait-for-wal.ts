import { setTimeout as delay } from "node:timers/promises";
import { SoarError } from "@soar/errors";
import { formatWalSegment } from "@soar/pg-tools";
import { listTimelineSegments } from "@soar/repository/wal";
import type { ObjectStore } from "@soar/storage";

export interface WalWait {
  readonly timeline: number;
  readonly segmentSize: number;
  /** First and last segment number without which the backup is not consistent. */
  readonly fromIndex: number;
  readonly toIndex: number;
  /** Milliseconds until the wait is given up. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What the server says about its archiver, for the message when time runs out. */
  readonly describeArchiver?: () => Promise<string>;
  readonly onWaiting?: (missing: string) => void;
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Promise 3: a backup exists only with every WAL segment that it needs in the bucket. Resolves when all of them are
 * listed there; rejects with `WAL_TIMEOUT` naming the first that is missing and what the server's archiver says.
 */
export async function waitForWal(store: ObjectStore, wait: WalWait): Promise<void> {
  const giveUpAt = performance.now() + wait.timeoutMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    const missing = await findMissingSegment(store, wait);
    if (missing === undefined) return;
    if (performance.now() + pause > giveUpAt) throw await timedOut(missing, wait);
    wait.onWaiting?.(missing);
    await delay(pause, undefined, { signal: wait.signal });
  }
}

/** Name of the first segment of a range that is not in the bucket. */
export async function findMissingSegment(
  store: ObjectStore,
  wait: Pick<WalWait, "timeline" | "segmentSize" | "fromIndex" | "toIndex" | "signal">,
): Promise<string | undefined> {
  const { timeline, segmentSize, fromIndex, toIndex, signal } = wait;
  const { segments } = await listTimelineSegments(store, timeline, segmentSize, { fromIndex, signal });
  for (let index = fromIndex; index <= toIndex; index += 1) {
    if (!segments.has(index)) return formatWalSegment({ timeline, index }, segmentSize);
  }
  return undefined;
}

async function timedOut(missing: string, wait: WalWait): Promise<SoarError> {
  const archiver = (await wait.describeArchiver?.()) ?? "";
  return new SoarError(
    "WAL_TIMEOUT",
    `unable to complete the backup: WAL segment '${missing}' did not reach the bucket within ${Math.round(wait.timeoutMs / 1000)} s${archiver === "" ? "" : `; ${archiver}`}`,
    {
      hint: "Look for 'archive command failed' in the server's log, repair archiving, then take the backup again. Nothing that looks like a backup was left behind.",
    },
  );
}
