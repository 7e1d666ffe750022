import { SoarError } from "@soar/errors";
import { formatLsn, formatWalSegment, lsnOfSegmentIndex, segmentIndexOfLsn, type Lsn } from "@soar/pg-tools";
import type { WalChain } from "@soar/repository/chain";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { describeOtherTimelines } from "./other-timelines.ts";

/**
 * A lineage whose WAL ends before its last switch is not that timeline yet: recovery would end on the parent, and PostgreSQL
 * would write a history that says the timeline ended before it began.
 */
export function requireLastTimeline({ history, segmentSize, endIndex }: WalChain): void {
  const switchLsn = history.entries.at(-1)?.switchLsn;
  if (switchLsn === undefined || lsnOfSegmentIndex(endIndex, segmentSize) >= switchLsn) return;
  const name = formatWalSegment(
    { timeline: history.timeline, index: segmentIndexOfLsn(switchLsn, segmentSize) },
    segmentSize,
  );
  throw new SoarError(
    "WAL_MISSING",
    `timeline ${history.timeline} cannot be reached: it begins at ${formatLsn(switchLsn)}, and WAL segment '${name}' is not in the bucket`,
    {
      hint: `If its server is still there, archive the segment; else follow the timeline before it: --target-timeline ${history.entries.at(-1)?.timeline}.`,
    },
  );
}

/**
 * A history says only that somebody left a timeline. Without any WAL behind the switch point there is no state of the new one to
 * go to: what its server did is not in the bucket, and to stop at the switch would pass for the latest state.
 */
export async function requireOwnWal(store: ObjectStore, chain: WalChain, options: CallOptions): Promise<void> {
  const { history, segments } = chain;
  const begun = history.entries.at(-1);
  if (begun === undefined) return;
  if (segments.some(({ timeline, cutLsn }) => timeline === history.timeline && cutLsn === undefined)) return;
  throw new SoarError(
    "WAL_MISSING",
    `timeline ${history.timeline} cannot be reached: it begins at ${formatLsn(begun.switchLsn)}, and none of its WAL is in the bucket`,
    {
      hint: [
        "If its server is still there, archive what it has written.",
        await describeOtherTimelines(store, history.timeline, options),
      ]
        .filter(Boolean)
        .join(" "),
    },
  );
}

/** Of a page whose first record would be the next one. */
const LONGEST_PAGE_HEADER = 40n;

/** What was committed between the end of the WAL and the beginning of the last timeline is on that timeline, and not in the bucket. */
export function requireSwitchReached({ history }: WalChain, endLsn: Lsn): void {
  const begun = history.entries.at(-1);
  if (begun === undefined || endLsn + LONGEST_PAGE_HEADER >= begun.switchLsn) return;
  throw new SoarError(
    "WAL_MISSING",
    `timeline ${history.timeline} cannot be reached: it begins at ${formatLsn(begun.switchLsn)}, and the WAL before it ends at ${formatLsn(endLsn)} in the bucket`,
    {
      hint: `If its server is still there, archive the segment; else follow the timeline before it: --target-timeline ${begun.timeline}.`,
    },
  );
}
