import { crc32c } from "@node-rs/crc32";
import { SoarError } from "@soar/errors";
import type { SupportedMajor } from "../majors/supported-majors.ts";
import type { Lsn } from "../wal-names/lsn.ts";
import { secondsAt, walLevelOf } from "../wal-records/record-fields.ts";
import { majorOfControlFile } from "./control-file-format.ts";

/** `enum DBState` (pg_control.h), in its order. */
export const CLUSTER_STATES = [
  "starting-up",
  "shut-down",
  "shut-down-in-recovery",
  "shutting-down",
  "in-crash-recovery",
  "in-archive-recovery",
  "in-production",
] as const;

/** What `pg_controldata` calls the database cluster state. It tells what was last written, not what runs now. */
export type ControlFileState = (typeof CLUSTER_STATES)[number];

/** The fields of `global/pg_control` that recovery and identity depend on. Times are microseconds since the Unix epoch. */
export interface ControlFile {
  readonly systemIdentifier: bigint;
  /** By the catalog version. */
  readonly pgMajor: number;
  readonly controlVersion: number;
  readonly catalogVersion: number;
  readonly state: ControlFileState;
  /** When the file was last written. */
  readonly modifiedTime: bigint;
  readonly checkpointLsn: Lsn;
  readonly redoLsn: Lsn;
  readonly timeline: number;
  readonly previousTimeline: number;
  readonly fullPageWrites: boolean;
  /** Of that checkpoint: what the next transaction, the next multixact and the next member of one were to be. */
  readonly nextXid: number;
  readonly nextMulti: number;
  readonly nextMultiMember: number;
  readonly checkpointTime: bigint;
  /** Recovery must reach this position before the cluster is consistent; 0 outside archive recovery. */
  readonly minRecoveryLsn: Lsn;
  readonly minRecoveryTimeline: number;
  /** Redo position of the backup from which the cluster is being recovered; 0 when none, or once its end was reached. */
  readonly backupStartLsn: Lsn;
  readonly backupEndLsn: Lsn;
  readonly backupEndRequired: boolean;
  readonly walLevel: "minimal" | "replica" | "logical";
  readonly walLogHints: boolean;
  readonly maxConnections: number;
  readonly maxWorkerProcesses: number;
  readonly maxWalSenders: number;
  readonly maxPreparedTransactions: number;
  readonly maxLocksPerTransaction: number;
  readonly trackCommitTimestamp: boolean;
  readonly blockSize: number;
  /** Blocks of a relation's file before the next one begins, 131072 (1 GiB) unless compiled otherwise. */
  readonly blocksPerRelationFile: number;
  readonly walBlockSize: number;
  readonly walSegmentSize: number;
  /** 0 when data checksums are off. */
  readonly dataChecksumVersion: number;
}

/**
 * Reads the content of `global/pg_control` of a supported major. Throws FORMAT_INVALID for a file that is damaged or
 * is none, and SERVER_VERSION for one of another version. The server replaces the file in place without a lock: a copy
 * taken while it runs may be torn, so read again before believing FORMAT_INVALID.
 */
export function readControlFile(bytes: Uint8Array): ControlFile {
  const row = majorOfControlFile(bytes);
  const { major, controlFile: format } = row;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (crc32c(bytes.subarray(0, format.crcOffset)) !== view.getUint32(format.crcOffset, true))
    throw invalid("its checksum is wrong");
  // What PostgreSQL checks to tell another architecture's file: eight-byte alignment, IEEE doubles.
  if (view.getUint32(format.maxAlignOffset, true) !== 8 || view.getFloat64(format.floatFormatOffset, true) !== 1234567)
    throw invalid("it comes from a machine of another architecture");
  const state = CLUSTER_STATES[view.getUint32(16, true)];
  if (state === undefined) throw invalid("its cluster state is unknown");
  return {
    systemIdentifier: view.getBigUint64(0, true),
    pgMajor: major,
    controlVersion: view.getUint32(8, true),
    catalogVersion: view.getUint32(12, true),
    state,
    modifiedTime: secondsAt(view, 24),
    checkpointLsn: view.getBigUint64(32, true),
    ...checkpointAt(view, 40, row),
    ...recoveryAt(view, format.recoveryOffset),
    ...settingsAt(view, format.settingsOffset),
    blockSize: view.getUint32(format.blockSizeOffset, true),
    blocksPerRelationFile: view.getUint32(format.blocksPerRelationFileOffset, true),
    walBlockSize: view.getUint32(format.walBlockSizeOffset, true),
    walSegmentSize: view.getUint32(format.walSegmentSizeOffset, true),
    dataChecksumVersion: view.getUint32(format.dataChecksumVersionOffset, true),
  };
}

/** The copy of the last checkpoint record (`CheckPoint`). */
function checkpointAt(
  view: DataView,
  at: number,
  { wal, multixactOffsetSize }: SupportedMajor,
): Pick<
  ControlFile,
  | "redoLsn"
  | "timeline"
  | "previousTimeline"
  | "fullPageWrites"
  | "nextXid"
  | "nextMulti"
  | "nextMultiMember"
  | "checkpointTime"
> {
  const next = at + wal.checkpointNextOffset;
  return {
    redoLsn: view.getBigUint64(at, true),
    timeline: view.getUint32(at + 8, true),
    previousTimeline: view.getUint32(at + 12, true),
    fullPageWrites: view.getUint8(at + 16) !== 0,
    // Of the whole number, with its epoch, the lower half is what pages are counted by.
    nextXid: view.getUint32(next, true),
    nextMulti: view.getUint32(next + 12, true),
    nextMultiMember:
      multixactOffsetSize === 8 ? Number(view.getBigUint64(next + 16, true)) : view.getUint32(next + 16, true),
    checkpointTime: secondsAt(view, at + wal.checkpointTimeOffset),
  };
}

function recoveryAt(
  view: DataView,
  at: number,
): Pick<
  ControlFile,
  "minRecoveryLsn" | "minRecoveryTimeline" | "backupStartLsn" | "backupEndLsn" | "backupEndRequired"
> {
  return {
    minRecoveryLsn: view.getBigUint64(at, true),
    minRecoveryTimeline: view.getUint32(at + 8, true),
    backupStartLsn: view.getBigUint64(at + 16, true),
    backupEndLsn: view.getBigUint64(at + 24, true),
    backupEndRequired: view.getUint8(at + 32) !== 0,
  };
}

type Settings = Pick<
  ControlFile,
  | "walLevel"
  | "walLogHints"
  | "maxConnections"
  | "maxWorkerProcesses"
  | "maxWalSenders"
  | "maxPreparedTransactions"
  | "maxLocksPerTransaction"
  | "trackCommitTimestamp"
>;

/** The parameters with which the last WAL was written, as they were then: postgresql.conf may say something else by now. */
function settingsAt(view: DataView, at: number): Settings {
  return {
    walLevel: walLevelOf(view.getInt32(at, true)),
    walLogHints: view.getUint8(at + 4) !== 0,
    maxConnections: view.getInt32(at + 8, true),
    maxWorkerProcesses: view.getInt32(at + 12, true),
    maxWalSenders: view.getInt32(at + 16, true),
    maxPreparedTransactions: view.getInt32(at + 20, true),
    maxLocksPerTransaction: view.getInt32(at + 24, true),
    trackCommitTimestamp: view.getUint8(at + 28) !== 0,
  };
}

function invalid(fact: string): SoarError {
  return new SoarError("FORMAT_INVALID", `unable to read pg_control: ${fact}`, {
    hint: "Compare with pg_controldata. If the file was copied from a running server, copy it again.",
  });
}
