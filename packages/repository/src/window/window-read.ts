import { formatLsn, lsnOfSegmentIndex, segmentIndexOfLsn, type Lsn, type TimelineHistory } from "@soar/pg-tools";
import { createWalSummarizer } from "@soar/pg-tools/wal-records";
import { hasErrorCode } from "@soar/errors";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { listBackupRecords } from "../records/backup-directories.ts";
import type { BackupRecord } from "../records/backup-record.ts";
import { appendTail } from "../chain/chain-tail.ts";
import { readWalDescription } from "../wal/get-wal.ts";
import { explainHole, type AbsentWal } from "../chain/explain-hole.ts";
import { scanChainSegment } from "../chain/read-chain-segment.ts";
import type { ChainHole, ChainSegment } from "../chain/wal-chain.ts";
import { listExpiredWal } from "../markers/expired-wal.ts";
import { listGaps, type GapRecord } from "../markers/marker-records.ts";
import { readTimelines } from "../wal/read-timelines.ts";
import { listTimelines, listTimelineSegments, type TimelineSegments } from "../wal/wal-inventory.ts";
import { findRestorableSpans, type RestorableSpan } from "./window.ts";

/** What can be restored, per timeline, newest timeline first. All of it is printed as JSON. */
export interface RecoveryWindow {
  readonly timelines: readonly TimelineWindow[];
  /** WAL that was given up on purpose. */
  readonly gaps: readonly GapRecord[];
  /** Timelines that nothing can be said of, because their history cannot be read, and why. */
  readonly unreadable: readonly { readonly timeline: number; readonly reason: string }[];
}

export interface TimelineWindow {
  readonly timeline: number;
  /** The timeline that it branched off, and where; undefined for the oldest. */
  readonly parent: { readonly timeline: number; readonly switchLsn: string } | undefined;
  /** In order; each but the last ends at a hole. */
  readonly ranges: readonly RestorableRange[];
  /** Labels of backups that lack WAL and cannot be used on this timeline. */
  readonly unusable: readonly string[];
}

export interface RestorableRange {
  /** The end of its first backup; where the timeline began, for a range that begins on its parent. */
  readonly from: string;
  /** The last commit in it that is known; undefined when there is none behind the backup. */
  readonly to: string | undefined;
  readonly fromLsn: string;
  readonly toLsn: string;
  readonly backups: readonly string[];
  readonly hole: RangeHole | undefined;
}

export interface RangeHole {
  /** First and last missing segment. */
  readonly from: string;
  readonly to: string;
  readonly count: number;
  /** Set when somebody gave this WAL up, or what expiry has left of it. */
  readonly declared: { readonly by: string; readonly at: string; readonly reason: string } | undefined;
  /** Nobody has lost anything: all of it was removed by expiry, behind a backup that is kept longer than the window. */
  readonly expired: boolean;
}

/** Segments without a single commit that are looked through for a time: an idle server switches few. */
const LONGEST_SEARCH = 256;
/** Segments that say nothing of themselves, stored uncompressed or only shipped so far, and are read as a whole for a time. */
const MOST_WHOLE_READS = 4;

/** Reads the restorable window from listings and, for the ends of ranges, from what WAL objects say of themselves. */
export async function readRecoveryWindow(
  store: ObjectStore,
  walSegmentSize: number,
  { signal }: CallOptions = {},
): Promise<RecoveryWindow> {
  const records = await listBackupRecords(store, { signal });
  const numbers = await listTimelines(store, { signal });
  const inventories = new Map<number, TimelineSegments>();
  for (const timeline of numbers)
    inventories.set(timeline, await listTimelineSegments(store, timeline, walSegmentSize, { signal }));
  const gaps = await listGaps(store, { signal });
  const expired = await listExpiredWal(store, { signal });
  const timelines: TimelineWindow[] = [];
  const { histories, unreadable } = await readTimelines(store, numbers.toReversed(), { signal });
  for (const history of histories) {
    timelines.push(
      await describeTimeline(store, history, { records, inventories, gaps, expired, walSegmentSize, signal }),
    );
  }
  return {
    timelines,
    gaps,
    unreadable: unreadable.map(({ timeline, reason }) => ({ timeline, reason: reason.message })),
  };
}

interface Known extends CallOptions, AbsentWal {
  readonly records: readonly BackupRecord[];
  readonly inventories: ReadonlyMap<number, TimelineSegments>;
  readonly walSegmentSize: number;
}

async function describeTimeline(store: ObjectStore, history: TimelineHistory, known: Known): Promise<TimelineWindow> {
  const parent = history.entries.at(-1);
  const begin = parent?.switchLsn ?? 0n;
  const { spans, unusable } = findRestorableSpans(history, known.records, known.inventories);
  const hasOwn = Boolean(known.inventories.get(history.timeline)?.segments.size);
  // What lies before the branch point is shown with the parent.
  const own = hasOwn ? spans.filter(({ toLsn }) => toLsn > begin) : [];
  const ranges: RestorableRange[] = [];
  for (const span of own) ranges.push(await describeRange(store, span, begin, known));
  return {
    timeline: history.timeline,
    parent: parent === undefined ? undefined : { timeline: parent.timeline, switchLsn: formatLsn(parent.switchLsn) },
    ranges,
    unusable: unusable.filter(({ timeline }) => timeline === history.timeline).map(({ label }) => label),
  };
}

async function describeRange(
  store: ObjectStore,
  span: RestorableSpan,
  begin: Lsn,
  known: Known,
): Promise<RestorableRange> {
  const fromLsn = span.fromLsn > begin ? span.fromLsn : begin;
  // What was shipped of the segment that is being written counts, where nothing before it is missing.
  const { segments } = span.hole === undefined ? await appendTail(store, span.chain, known) : span.chain;
  const behind = segments.filter(({ index }) => index >= segmentIndexOfLsn(fromLsn, known.walSegmentSize));
  const [first] = span.backups;
  const start = span.fromLsn > begin ? undefined : await findTime(store, behind.slice(1), "first", known);
  const last = await findTime(store, behind.toReversed(), "last", known);
  const from = start ?? first.stoppedAt;
  return {
    from,
    // Times of commits and the clock of the backup's host are not the same clock.
    to: last === undefined || last < from ? undefined : last,
    fromLsn: formatLsn(fromLsn),
    toLsn: formatLsn(endOf(segments, span, known.walSegmentSize)),
    backups: span.backups.map(({ label }) => label),
    hole: span.hole === undefined ? undefined : describeHole(span.hole, known),
  };
}

function endOf(segments: readonly ChainSegment[], { toLsn }: RestorableSpan, walSegmentSize: number): Lsn {
  const last = segments.at(-1);
  return last?.tail === undefined ? toLsn : lsnOfSegmentIndex(last.index, walSegmentSize) + BigInt(last.tail.size);
}

/** The time of the nearest commit, going through segments in the order given. */
async function findTime(
  store: ObjectStore,
  segments: readonly ChainSegment[],
  which: "first" | "last",
  { signal, walSegmentSize }: Known,
): Promise<string | undefined> {
  let wholeReads = 0;
  for (const segment of segments.slice(0, LONGEST_SEARCH)) {
    const describesItself = segment.tail === undefined && segment.object.codec !== "none";
    if (!describesItself && (wholeReads += 1) > MOST_WHOLE_READS) return undefined;
    const micros = describesItself
      ? (await readWalDescription(store, segment.object, { signal })).description.tx?.[which]
      : await readTime(store, segment, which, { signal, walSegmentSize });
    if (micros !== undefined) return new Date(Math.floor(Number(micros) / 1000)).toISOString();
  }
  return undefined;
}

/** From its records. Undefined also where they cannot be read: that is the verification's to tell. */
async function readTime(
  store: ObjectStore,
  segment: ChainSegment,
  which: "first" | "last",
  { signal, walSegmentSize }: CallOptions & { readonly walSegmentSize: number },
): Promise<bigint | undefined> {
  const summarizer = createWalSummarizer({ name: segment.name });
  try {
    for await (const bytes of scanChainSegment(store, segment, walSegmentSize, { signal })) summarizer.push(bytes);
    const { earliestTime, latestTime } = summarizer.finish();
    return which === "first" ? earliestTime : latestTime;
  } catch (error) {
    if (!hasErrorCode(error, "WAL_INVALID", "WAL_MISSING", "REPOSITORY_DAMAGED")) throw error;
    return undefined;
  }
}

function describeHole(hole: ChainHole, known: Known): RangeHole {
  const parts = explainHole(hole, known.walSegmentSize, known);
  const isLost = parts.some(({ cause }) => cause === "missing");
  const gap = isLost ? undefined : parts.find(({ gap: given }) => given !== undefined)?.gap;
  return {
    from: hole.from,
    to: hole.to,
    count: hole.count,
    declared: gap && { by: gap.declaredBy, at: gap.declaredAt, reason: gap.reason },
    expired: !isLost && gap === undefined,
  };
}
