import { SoarError } from "@soar/errors";
import { formatWalSegment, parseWalFileName, parseWalSegment, toHex8, type WalSegment } from "@soar/pg-tools";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { splitCodecSuffix } from "./codec-suffix.ts";
import { WAL_PREFIX } from "../records/keys.ts";
import { parseWalKey, type WalObject } from "./wal-key.ts";

/** Sorts after every character of a WAL file name, so that a listing can start behind all names with a prefix. */
const AFTER_ALL = "~";

/** The full segments of one timeline that are in the bucket, from some segment number on. */
export interface TimelineSegments {
  readonly timeline: number;
  /** By segment number. More than one object: the same segment in several codecs. */
  readonly segments: ReadonlyMap<number, readonly WalObject[]>;
}

/** Lists the segments of one timeline with number `fromIndex` or higher, and nothing else of the flat `wal/` prefix. */
export async function listTimelineSegments(
  store: ObjectStore,
  timeline: number,
  segmentSize: number,
  options: CallOptions & { readonly fromIndex?: number | undefined } = {},
): Promise<TimelineSegments> {
  const segments = new Map<number, WalObject[]>();
  const { fromIndex = 0, signal } = options;
  const before =
    fromIndex === 0
      ? undefined
      : WAL_PREFIX + formatWalSegment({ timeline, index: fromIndex - 1 }, segmentSize) + AFTER_ALL;
  for await (const { key, size } of store.list(WAL_PREFIX + toHex8(timeline), { startAfter: before, signal })) {
    const object = requireWalObject(store, key, size);
    const index = indexOf(store, object, segmentSize);
    if (index !== undefined) segments.set(index, [...(segments.get(index) ?? []), object]);
  }
  return { timeline, segments };
}

/**
 * The timelines of which anything is in `wal/`, ascending. Costs one short listing per timeline, however many segments
 * there are: each listing starts behind everything of the timeline before. With `after`, only those behind this one.
 */
export async function listTimelines(
  store: ObjectStore,
  { after, ...options }: CallOptions & { readonly after?: number } = {},
): Promise<number[]> {
  const timelines: number[] = [];
  let startAfter = after === undefined ? undefined : WAL_PREFIX + toHex8(after) + AFTER_ALL;
  for (;;) {
    const key = await firstKeyAfter(store, startAfter, options);
    if (key === undefined) return timelines;
    const name = splitCodecSuffix(key.slice(WAL_PREFIX.length)).base;
    const [, timeline] = /^([0-9A-F]{8})/.exec(name) ?? [];
    if (timeline === undefined) throw strangeWalObject(store, key);
    timelines.push(Number.parseInt(timeline, 16));
    startAfter = WAL_PREFIX + timeline + AFTER_ALL;
  }
}

/** The last segment of a timeline that is in the bucket, or undefined. Full segments only. */
export function lastSegment({ timeline, segments }: TimelineSegments): WalSegment | undefined {
  let last: number | undefined;
  for (const index of segments.keys()) if (last === undefined || index > last) last = index;
  return last === undefined ? undefined : { timeline, index: last };
}

async function firstKeyAfter(
  store: ObjectStore,
  startAfter: string | undefined,
  options: CallOptions,
): Promise<string | undefined> {
  for await (const { key } of store.list(WAL_PREFIX, { startAfter, signal: options.signal })) return key;
  return undefined;
}

/** The segment's number; undefined for a WAL file that is no full segment. */
function indexOf(store: ObjectStore, { name, key }: WalObject, segmentSize: number): number | undefined {
  try {
    return parseWalFileName(name).kind === "segment" ? parseWalSegment(name, segmentSize).index : undefined;
  } catch (error) {
    // The name alone would leave the operator searching: it is an object in the bucket.
    throw strangeWalObject(store, key, error);
  }
}

function requireWalObject(store: ObjectStore, key: string, size: number): WalObject {
  const object = parseWalKey(key, size);
  if (object !== undefined) return object;
  throw strangeWalObject(store, key);
}

/** What is said of an object in `wal/` that is no WAL file. */
export function strangeWalObject(store: ObjectStore, key: string, cause?: unknown): SoarError {
  return new SoarError("REPOSITORY_DAMAGED", `'${store.location}/${key}' is no WAL file that this version can read`, {
    cause,
    hint: "Move objects that soar did not write out of wal/; for encrypted ones use a version that knows encryption.",
  });
}
