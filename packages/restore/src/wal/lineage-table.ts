import { SoarError } from "@soar/errors";
import {
  formatHistoryFileName,
  formatLsn,
  formatTimelineHistory,
  parseLsn,
  parseWalFileName,
  parseWalSegment,
} from "@soar/pg-tools";
import { FORMAT_VERSION } from "@soar/repository";
import { parseWalKey, type WalObject } from "@soar/repository/wal";
import type { ChainSegment, FrozenTail } from "@soar/repository/chain";
import type { RestorePlan } from "../plan/plan.ts";

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
  /** Timeline histories that only this machine knew, by the file's name. */
  readonly histories?: Readonly<Record<string, string>>;
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
  /** Set for a segment of this machine's disk: where it lies, and the digest of its bytes. */
  readonly local?: LocalSegment;
}

export interface LocalSegment {
  readonly file: string;
  /** Lower-case hexadecimal, of the whole file. */
  readonly sha256: string;
}

/** @param digests of segments that lie on this machine, by their name: see `digestLocalSegments` */
export function lineageTableOf(
  { chain, backup, localHistories }: Pick<RestorePlan, "chain" | "backup" | "localHistories">,
  digests: ReadonlyMap<string, string> = new Map(),
): LineageTable {
  return {
    format: FORMAT_VERSION,
    timeline: chain.history.timeline,
    systemIdentifier: backup.systemIdentifier,
    segmentSize: chain.segmentSize,
    firstIndex: chain.endIndex - chain.segments.length,
    segments: chain.segments.map((segment) => plannedSegment(segment, digests)),
    ...(localHistories.length === 0
      ? {}
      : {
          histories: Object.fromEntries(
            localHistories.map((history) => [formatHistoryFileName(history.timeline), formatTimelineHistory(history)]),
          ),
        }),
  };
}

function plannedSegment(
  { name, object, cutLsn, tail }: ChainSegment,
  digests: ReadonlyMap<string, string>,
): PlannedSegment {
  const { key, size, file } = object;
  const local = file === undefined ? {} : { local: { file, sha256: digests.get(name) ?? "" } };
  return {
    name,
    key,
    size,
    ...(cutLsn === undefined ? {} : { cut: formatLsn(cutLsn) }),
    ...(tail === undefined ? {} : { tail }),
    ...local,
  };
}

/** What `wal-fetch` has to do with a name that PostgreSQL asks for. */
export type WalRequest =
  /** A planned pair: deliver exactly this, or fail so that recovery stops. */
  | { readonly answer: "deliver"; readonly segment: ChainSegment; readonly sha256: string | undefined }
  /** A timeline history: whatever the bucket says, and this text where it says nothing. */
  | { readonly answer: "look-up"; readonly timeline: number; readonly text: string | undefined }
  /** Proved not to be part of this recovery. */
  | { readonly answer: "absent" };

/**
 * Decides about one request. Throws `WAL_MISSING` for a segment before the plan's first one, and `WAL_NAME_INVALID` for
 * anything that recovery does not ask for: both mean that something is wrong, and recovery has to stop.
 */
export function answerWalRequest(table: LineageTable, name: string): WalRequest {
  const file = parseWalFileName(name);
  if (file.kind === "history") return { answer: "look-up", timeline: file.timeline, text: table.histories?.[name] };
  if (file.kind !== "segment") {
    throw new SoarError("WAL_NAME_INVALID", `unable to deliver '${name}': recovery does not ask for such a file`, {
      hint: "Check that restore_command passes %f as the name.",
    });
  }
  const { index } = parseWalSegment(name, table.segmentSize);
  const offset = index - table.firstIndex;
  if (offset < 0) {
    throw new SoarError(
      "WAL_MISSING",
      `unable to deliver '${name}': the plan begins with segment number ${table.firstIndex}`,
      {
        hint: "The data directory does not belong to the backup that was planned. Run the restore again from the start.",
      },
    );
  }
  const planned = table.segments[offset];
  if (planned?.name !== name) return { answer: "absent" };
  const { key, size, cut, tail, local } = planned;
  const object: WalObject | undefined =
    tail !== undefined
      ? { name, key, codec: "zstd", size }
      : local !== undefined
        ? { name, key, codec: "none", size, file: local.file }
        : parseWalKey(key, size);
  if (object === undefined) throw invalid(`the plan of ${name}`);
  const cutLsn = cut === undefined ? undefined : parseLsn(cut);
  return {
    answer: "deliver",
    segment: { index, timeline: parseWalSegment(name, table.segmentSize).timeline, name, object, cutLsn, tail },
    sha256: local?.sha256,
  };
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

/**
 * By hand, not by a schema as other records: recovery starts a process per segment, which reads all of the table. For 10,000
 * segments this takes 1 ms, a schema of valibot 15 (measured on Node 24).
 */
function isLineageTable(value: unknown): value is LineageTable {
  if (typeof value !== "object" || value === null) return false;
  const table = value as Partial<Record<keyof LineageTable, unknown>>;
  const numbers = [table.timeline, table.segmentSize, table.firstIndex].every((number) => Number.isSafeInteger(number));
  const planned = Array.isArray(table.segments) && table.segments.every(isPlannedSegment);
  const histories =
    table.histories === undefined ||
    (typeof table.histories === "object" &&
      table.histories !== null &&
      Object.values(table.histories).every((text) => typeof text === "string"));
  return (
    table.format === FORMAT_VERSION && numbers && planned && histories && typeof table.systemIdentifier === "string"
  );
}

function isPlannedSegment(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { name, key, size, cut, tail, local } = value as Partial<Record<keyof PlannedSegment, unknown>>;
  const isPlain = typeof name === "string" && typeof key === "string" && Number.isSafeInteger(size);
  return (
    isPlain &&
    (cut === undefined || typeof cut === "string") &&
    (tail === undefined || isFrozenTail(tail)) &&
    (local === undefined || isLocalSegment(local))
  );
}

function isLocalSegment(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { file, sha256 } = value as Partial<Record<keyof LocalSegment, unknown>>;
  return typeof file === "string" && typeof sha256 === "string";
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
