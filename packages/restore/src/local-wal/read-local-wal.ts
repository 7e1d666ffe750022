import { join } from "node:path";
import { namesIfPresent, unreadable } from "@soar/durable-files";
import { openTrustedFile, readTrustedFile } from "@soar/durable-files/reading";
import { hasErrorCode } from "@soar/errors";
import { formatTimelineHistory, parseTimelineHistory, parseWalSegment, type TimelineHistory } from "@soar/pg-tools";
import { checkWalSegmentHeader } from "@soar/pg-tools/wal-records";
import type { TimelineSegments, WalObject } from "@soar/repository/wal";

/** WAL on this machine that may be in no bucket: in pg_wal of the lost server, and in what earlier restores kept. */
export interface LocalWal {
  /** By timeline. Which of them the bucket lacks is not known here. */
  readonly segments: ReadonlyMap<number, TimelineSegments>;
  /** Histories that the bucket lacks. */
  readonly histories: ReadonlyMap<number, TimelineHistory>;
}

export const NO_LOCAL_WAL: LocalWal = { segments: new Map(), histories: new Map() };

export interface LocalWalOptions {
  readonly systemIdentifier: string;
  readonly segmentSize: number;
  /** What the bucket says of a timeline. */
  readonly findHistory: (timeline: number) => Promise<TimelineHistory | undefined>;
}

const HINT = "Run as the owner of the data directory or as root: the newest commits may lie there.";

interface Found {
  readonly segments: Map<number, { readonly timeline: number; readonly segments: Map<number, readonly WalObject[]> }>;
  readonly histories: Map<number, TimelineHistory>;
}

/**
 * Finds the segments in directories whose first page is the one that their name promises: a recycled file, which
 * PostgreSQL has renamed and not written yet, is none. Of two copies that of the first directory counts.
 *
 * A timeline's segments are taken only from a directory that holds the same history of it as the bucket: after restores
 * to the past, two timelines may have one number.
 */
export async function readLocalWal(directories: readonly string[], options: LocalWalOptions): Promise<LocalWal> {
  const found: Found = { segments: new Map(), histories: new Map() };
  for (const directory of directories) await addDirectory(directory, found, options);
  return found;
}

async function addDirectory(directory: string, found: Found, options: LocalWalOptions): Promise<void> {
  const names = (await namesIfPresent(directory, { hint: HINT })) ?? [];
  const timelines = new Set([1]);
  for (const name of names.sort()) {
    const [, hex] = /^([0-9A-F]{8})\.history$/.exec(name) ?? [];
    if (hex !== undefined && (await addHistory(join(directory, name), Number.parseInt(hex, 16), found, options)))
      timelines.add(Number.parseInt(hex, 16));
  }
  for (const name of names) {
    if (!/^[0-9A-F]{24}$/.test(name) || !timelines.has(Number.parseInt(name.slice(0, 8), 16))) continue;
    const file = join(directory, name);
    if (!(await isSegment(file, name, options))) continue;
    const { timeline, index } = parseWalSegment(name, options.segmentSize);
    const ofTimeline = found.segments.get(timeline) ?? { timeline, segments: new Map<number, readonly WalObject[]>() };
    if (!ofTimeline.segments.has(index))
      ofTimeline.segments.set(index, [{ name, key: file, codec: "none", size: options.segmentSize, file }]);
    found.segments.set(timeline, ofTimeline);
  }
}

/** Whether this directory means the same timeline by the number as the bucket, or as the directory that told of it first. */
async function addHistory(
  path: string,
  timeline: number,
  { histories }: Found,
  { findHistory }: LocalWalOptions,
): Promise<boolean> {
  const own = await parseHistory(path, timeline);
  if (own === undefined) return false;
  const known = (await findHistory(timeline)) ?? histories.get(timeline);
  if (known === undefined) histories.set(timeline, own);
  return (
    known === undefined || formatTimelineHistory(withoutReasons(known)) === formatTimelineHistory(withoutReasons(own))
  );
}

/** Undefined for a file that a crash left half-written: its timeline has no segments worth anything. */
async function parseHistory(path: string, timeline: number): Promise<TimelineHistory | undefined> {
  try {
    const history = parseTimelineHistory((await readTrustedFile(path)).toString("utf8"), timeline);
    return history.entries.length > 0 ? history : undefined;
  } catch (error) {
    if (hasErrorCode(error, "FORMAT_INVALID")) return undefined;
    throw unreadable(path, error, HINT);
  }
}

function withoutReasons({ timeline, entries }: TimelineHistory): TimelineHistory {
  return { timeline, entries: entries.map((entry) => ({ ...entry, reason: "" })) };
}

async function isSegment(
  path: string,
  name: string,
  { systemIdentifier, segmentSize }: LocalWalOptions,
): Promise<boolean> {
  try {
    await using file = await openTrustedFile(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
    const header = checkWalSegmentHeader(buffer.subarray(0, bytesRead), { name, fileSize: (await file.stat()).size });
    return String(header.systemIdentifier) === systemIdentifier && header.segmentSize === segmentSize;
  } catch (error) {
    if (hasErrorCode(error, "WAL_INVALID")) return false;
    throw unreadable(path, error, HINT);
  }
}
