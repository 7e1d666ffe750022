import { SoarError } from "@soar/errors";
import { formatLsn, formatServerLsn, type Lsn, type LsnStyle, parseLsn } from "../wal-names/lsn.ts";
import type { WalFileName } from "../wal-names/wal-file-name.ts";

/** The content of `backup_label`, without which a restored base backup must never be started. */
export interface BackupLabel {
  /** Redo position: recovery begins here. */
  readonly startLsn: Lsn;
  /** Name of the segment that holds `startLsn`: the first one that is needed. */
  readonly startSegmentName: string;
  readonly checkpointLsn: Lsn;
  /** `streamed` in every supported version. */
  readonly method: string;
  /** `primary` or `standby`. */
  readonly from: string;
  /** In the server's log_timezone, with its abbreviation; for humans only. */
  readonly startTime: string;
  readonly label: string;
  readonly startTimeline: number;
  /** The backup that an incremental one (PostgreSQL 17 and later) builds upon. */
  readonly incrementalFrom: { readonly lsn: Lsn; readonly timeline: number } | undefined;
}

/** The content of a backup history file (`….backup`), which PostgreSQL archives at the end of a backup of a primary. */
export interface BackupHistory extends BackupLabel {
  readonly stopLsn: Lsn;
  /** Segment of the byte *at* `stopLsn`, although the one before suffices when that lies on a boundary. */
  readonly stopSegmentName: string;
  readonly stopTime: string;
  readonly stopTimeline: number;
}

export type BackupHistoryName = Extract<WalFileName, { readonly kind: "backup-history" }>;

const SMALLEST_SEGMENT = 2n ** 20n;

/** The order of `build_backup_content` (xlogbackup.c). Only the label may hold anything, even line ends. */
const CONTENT = new RegExp(
  [
    /^START WAL LOCATION: (?<startLsn>LSN) \(file (?<startSegmentName>[0-9A-F]{24})\)\n/,
    /(?:STOP WAL LOCATION: (?<stopLsn>LSN) \(file (?<stopSegmentName>[0-9A-F]{24})\)\n)?/,
    /CHECKPOINT LOCATION: (?<checkpointLsn>LSN)\nBACKUP METHOD: (?<method>\S+)\nBACKUP FROM: (?<from>\S+)\n/,
    /START TIME: (?<startTime>.*)\nLABEL: (?<label>[^]*)\nSTART TIMELINE: (?<startTimeline>\d{1,10})\n/,
    /(?:STOP TIME: (?<stopTime>.*)\nSTOP TIMELINE: (?<stopTimeline>\d{1,10})\n)?/,
    /(?:INCREMENTAL FROM LSN: (?<incrementalLsn>LSN)\nINCREMENTAL FROM TLI: (?<incrementalTimeline>\d{1,10})\n)?$/,
  ]
    .map(({ source }) => source.replaceAll("LSN)", "[0-9A-F]{1,8}/[0-9A-F]{1,8})"))
    .join(""),
);

/** Reads the text of a `backup_label` file. Throws FORMAT_INVALID. */
export function parseBackupLabel(text: string): BackupLabel {
  const fields = fieldsOf(text, "backup_label");
  if (fields.stopLsn !== undefined || fields.stopTime !== undefined)
    throw invalid("backup_label", "it has a stop position like a backup history file");
  return labelOf(fields);
}

/** Reads the text of a backup history file. Throws FORMAT_INVALID. */
export function parseBackupHistory(text: string): BackupHistory {
  const fields = fieldsOf(text, "backup history file");
  const { stopLsn, stopSegmentName, stopTime, stopTimeline } = fields;
  if (stopLsn === undefined || stopSegmentName === undefined || stopTime === undefined)
    throw invalid("backup history file", "it has no stop position");
  return {
    ...labelOf(fields),
    stopLsn: parseLsn(stopLsn),
    stopSegmentName,
    stopTime,
    stopTimeline: Number(stopTimeline),
  };
}

/**
 * Reads the text of a backup history file that has the name of `file`. Throws FORMAT_INVALID, also when it is that of a backup which
 * began elsewhere.
 */
export function parseBackupHistoryOf(file: BackupHistoryName, text: string): BackupHistory {
  const history = parseBackupHistory(text);
  const { startSegmentName, startLsn, startTimeline } = history;
  // The segment's size is not known here: the smallest divides all of them.
  const isThere =
    startSegmentName === file.segmentName && (startLsn - BigInt(file.startOffset)) % SMALLEST_SEGMENT === 0n;
  if (!isThere || startTimeline !== file.timeline) {
    const place = `${formatLsn(startLsn)} in ${startSegmentName} on timeline ${startTimeline}`;
    throw invalid("backup history file", `it says that the backup began at ${place}`);
  }
  return history;
}

/** The text of a `backup_label` file, byte for byte as a server of this style writes it. */
export function formatBackupLabel(label: BackupLabel, style: LsnStyle): string {
  return formatContent(label, undefined, style);
}

/** The text of a backup history file, byte for byte as a server of this style writes it. */
export function formatBackupHistory(history: BackupHistory, style: LsnStyle): string {
  return formatContent(history, history, style);
}

function formatContent(label: BackupLabel, stop: BackupHistory | undefined, style: LsnStyle): string {
  const lines = [
    `START WAL LOCATION: ${formatServerLsn(label.startLsn, style)} (file ${label.startSegmentName})`,
    ...(stop === undefined
      ? []
      : [`STOP WAL LOCATION: ${formatServerLsn(stop.stopLsn, style)} (file ${stop.stopSegmentName})`]),
    `CHECKPOINT LOCATION: ${formatServerLsn(label.checkpointLsn, style)}`,
    `BACKUP METHOD: ${label.method}`,
    `BACKUP FROM: ${label.from}`,
    `START TIME: ${label.startTime}`,
    `LABEL: ${label.label}`,
    `START TIMELINE: ${label.startTimeline}`,
    ...(stop === undefined ? [] : [`STOP TIME: ${stop.stopTime}`, `STOP TIMELINE: ${stop.stopTimeline}`]),
    ...(label.incrementalFrom === undefined
      ? []
      : [
          `INCREMENTAL FROM LSN: ${formatServerLsn(label.incrementalFrom.lsn, style)}`,
          `INCREMENTAL FROM TLI: ${label.incrementalFrom.timeline}`,
        ]),
  ];
  return `${lines.join("\n")}\n`;
}

/** Groups of the expression: those outside its optional parts are there whenever it matches. */
type Fields = Readonly<
  Record<
    "startLsn" | "startSegmentName" | "checkpointLsn" | "method" | "from" | "startTime" | "label" | "startTimeline",
    string
  >
> &
  Readonly<
    Partial<
      Record<
        "stopLsn" | "stopSegmentName" | "stopTime" | "stopTimeline" | "incrementalLsn" | "incrementalTimeline",
        string
      >
    >
  >;

function fieldsOf(text: string, what: string): Fields {
  const groups = CONTENT.exec(text)?.groups;
  if (groups === undefined) throw invalid(what, "it does not have the lines that PostgreSQL writes");
  return groups as Fields;
}

function labelOf(fields: Fields): BackupLabel {
  const { incrementalLsn, incrementalTimeline } = fields;
  return {
    startLsn: parseLsn(fields.startLsn),
    startSegmentName: fields.startSegmentName,
    checkpointLsn: parseLsn(fields.checkpointLsn),
    method: fields.method,
    from: fields.from,
    startTime: fields.startTime,
    label: fields.label,
    startTimeline: Number(fields.startTimeline),
    incrementalFrom:
      incrementalLsn === undefined
        ? undefined
        : { lsn: parseLsn(incrementalLsn), timeline: Number(incrementalTimeline) },
  };
}

function invalid(what: string, fact: string): SoarError {
  return new SoarError("FORMAT_INVALID", `unable to read the ${what}: ${fact}`, {
    hint: "The file belongs to its backup byte for byte; take it from there again.",
  });
}
