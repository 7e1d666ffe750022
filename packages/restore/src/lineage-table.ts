import { SoarError } from "@soar/errors";
import { formatLsn, parseLsn, parseWalFileName, parseWalSegment } from "@soar/pg-tools";
import { FORMAT_VERSION, parseWalKey, type ChainSegment, type FrozenTail, type WalChain, type WalObject } from "@soar/repository";

/**
 * What one recovery may be given, fixed when it is planned: for each segment number the one timeline and object.
 * `wal-fetch` decides by this table alone, so that neither a WAL archive that grows meanwhile nor an abandoned branch
 * can lead recovery elsewhere (safety, traps 29 and 30).
 */
export interface LineageTable {
  readonly format: typeof FORMAT_VERSION;
  /** Timeline that recovery follows. */
  readonly timeline: number;
  readonly systemIdentifier: string;
  readonly segmentSize: number;
  /** First planned segment number. */
  readonly firstIndex: number;
  /** From `firstIndex` on without a hole: the name that is asked for, the object that answers it, and where that ends to be valid. */
  readonly segments: readonly PlannedSegment[];
}

export interface PlannedSegment {
  readonly name: string;
  readonly key: string;
  /** Stored bytes. */
  readonly size: number;
  /** LSN behind which the segment is zeros: see `ChainSegment`. */
  readonly cut?: string;
  /** Set for a segment that was never archived: what was shipped of it. */
  readonly tail?: FrozenTail;
}

export function lineageTableOf(chain: WalChain, systemIdentifier: string): LineageTable {
  return {
    format: FORMAT_VERSION,
    timeline: chain.history.timeline,
    systemIdentifier,
    segmentSize: chain.segmentSize,
    firstIndex: chain.endIndex - chain.segments.length,
    segments: chain.segments.map(plannedSegment),
  };
}

function plannedSegment({ name, object, cutLsn, tail }: ChainSegment): PlannedSegment {
  return { name, key: object.key, size: object.size, ...(cutLsn === undefined ? {} : { cut: formatLsn(cutLsn) }), ...(tail === undefined ? {} : { tail }) };
}

/** What `wal-fetch` has to do with a name that PostgreSQL asks for. */
export type WalRequest =
  /** A planned pair: deliver exactly this, or fail so that recovery stops. */
  | { readonly answer: "deliver"; readonly segment: ChainSegment }
  /** A timeline history: whatever the bucket says. */
  | { readonly answer: "look-up"; readonly timeline: number }
  /** Proved not to be part of this recovery. */
  | { readonly answer: "absent" };

/**
 * Decides about one request. Throws `WAL_MISSING` for a segment before the plan's first one, and `WAL_NAME_INVALID` for
 * anything that recovery does not ask for: both mean that something is wrong, and recovery has to stop.
 */
export function answerWalRequest(table: LineageTable, name: string): WalRequest {
  const file = parseWalFileName(name);
  if (file.kind === "history") return { answer: "look-up", timeline: file.timeline };
  if (file.kind !== "segment") {
    throw new SoarError("WAL_NAME_INVALID", `unable to deliver '${name}': recovery does not ask for such a file`, {
      hint: "Check that restore_command passes %f as the name.",
    });
  }
  const { index } = parseWalSegment(name, table.segmentSize);
  const offset = index - table.firstIndex;
  if (offset < 0) {
    throw new SoarError("WAL_MISSING", `unable to deliver '${name}': the plan begins with segment number ${table.firstIndex}`, {
      hint: "The data directory does not belong to the backup that was planned. Run the restore again from the start.",
    });
  }
  const planned = table.segments[offset];
  if (planned?.name !== name) return { answer: "absent" };
  const { key, size, cut, tail } = planned;
  const object: WalObject | undefined = tail === undefined ? parseWalKey(key, size) : { name, key, codec: "zstd", size };
  if (object === undefined) throw invalid(`the plan of ${name}`);
  const cutLsn = cut === undefined ? undefined : parseLsn(cut);
  return { answer: "deliver", segment: { index, timeline: parseWalSegment(name, table.segmentSize).timeline, name, object, cutLsn, tail } };
}

/** Reads a table that `formatLineageTable` wrote. Throws `FORMAT_INVALID`. */
export function parseLineageTable(text: string, path: string): LineageTable {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(path, cause);
  }
  if (!isLineageTable(value)) throw invalid(path);
  return value;
}

export function formatLineageTable(table: LineageTable): string {
  return `${JSON.stringify(table)}\n`;
}

function isLineageTable(value: unknown): value is LineageTable {
  if (typeof value !== "object" || value === null) return false;
  const table = value as Partial<Record<keyof LineageTable, unknown>>;
  const numbers = [table.timeline, table.segmentSize, table.firstIndex].every((number) => Number.isSafeInteger(number));
  const planned = Array.isArray(table.segments) && table.segments.every(isPlannedSegment);
  return table.format === FORMAT_VERSION && numbers && planned && typeof table.systemIdentifier === "string";
}

function isPlannedSegment(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { name, key, size, cut, tail } = value as Partial<Record<keyof PlannedSegment, unknown>>;
  const isPlain = typeof name === "string" && typeof key === "string" && Number.isSafeInteger(size);
  return isPlain && (cut === undefined || typeof cut === "string") && (tail === undefined || isFrozenTail(tail));
}

function isFrozenTail(value: unknown): value is FrozenTail {
  if (typeof value !== "object" || value === null) return false;
  const { size, sha256 } = value as Partial<Record<keyof FrozenTail, unknown>>;
  return Number.isSafeInteger(size) && typeof sha256 === "string";
}

function invalid(path: string, cause?: unknown): SoarError {
  return new SoarError("FORMAT_INVALID", `unable to read '${path}': it is not the lineage table of a restore`, {
    cause,
    hint: "soar-restore writes it when a restore begins; run the restore again.",
  });
}
