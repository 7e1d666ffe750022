/** Resource managers whose records are decoded (rmgrlist.h), the same in every supported major. */
export const RM_XLOG = 0;
export const RM_XACT = 1;
export const RM_SMGR = 2;
export const RM_CLOG = 3;
export const RM_DBASE = 4;
export const RM_MULTIXACT = 6;
export const RM_COMMIT_TS = 18;

/** Built-in resource managers end at `lastBuiltIn`; extensions have 128 to 255 (`RmgrIdIsValid`). */
export function isResourceManager(rmid: number, lastBuiltIn: number): boolean {
  return rmid <= lastBuiltIn || rmid >= 128;
}

/** The lower four bits of `xl_info` belong to the WAL machinery, the upper four tell the record's type. */
export const INFO_TYPE_MASK = 0xf0;

/** Types of `RM_XLOG` (pg_control.h). */
export const XLOG_CHECKPOINT_SHUTDOWN = 0x00;
const XLOG_CHECKPOINT_ONLINE = 0x10;
export const XLOG_SWITCH = 0x40;
export const XLOG_BACKUP_END = 0x50;
export const XLOG_PARAMETER_CHANGE = 0x60;
export const XLOG_RESTORE_POINT = 0x70;
export const XLOG_END_OF_RECOVERY = 0x90;
export const XLOG_OVERWRITE_CONTRECORD = 0xd0;

/** Types of `RM_SMGR` (storage_xlog.h). */
export const SMGR_CREATE = 0x10;
export const SMGR_TRUNCATE = 0x20;

/** Types of `RM_XACT` (xact.h): three bits, the fourth says whether the record has an xinfo field. */
export const XACT_TYPE_MASK = 0x70;
export const XACT_HAS_INFO = 0x80;
export const XACT_COMMIT = 0x00;
const XACT_PREPARE = 0x10;
export const XACT_ABORT = 0x20;
export const XACT_COMMIT_PREPARED = 0x30;
export const XACT_ABORT_PREPARED = 0x40;

/** Least length in bytes of the main data of each `RM_XLOG` type that is decoded. Version 18 appends to some. */
const XLOG_DATA_LENGTHS: ReadonlyMap<number, number> = new Map([
  [XLOG_CHECKPOINT_SHUTDOWN, 88],
  [XLOG_CHECKPOINT_ONLINE, 88],
  [XLOG_SWITCH, 0],
  [XLOG_BACKUP_END, 8],
  [XLOG_PARAMETER_CHANGE, 28],
  [XLOG_RESTORE_POINT, 72],
  [XLOG_END_OF_RECOVERY, 16],
  [XLOG_OVERWRITE_CONTRECORD, 16],
]);

/** Size of `xl_xact_prepare`; the others of `RM_XACT` are as short as a timestamp. */
export const PREPARE_HEADER_SIZE = 72;
const TIMESTAMP_SIZE = 8;

/** Whether a record says something about recovery that is decoded here; all others only take part in the chain. */
export function isDecodedRecord(rmid: number, info: number): boolean {
  if (rmid === RM_XACT) return (info & XACT_TYPE_MASK) <= XACT_ABORT_PREPARED;
  return rmid === RM_XLOG && XLOG_DATA_LENGTHS.has(info & INFO_TYPE_MASK);
}

/** How many bytes of main data a decoded record must at least have. */
export function leastDataLength(rmid: number, info: number): number {
  if (rmid === RM_XACT) return (info & XACT_TYPE_MASK) === XACT_PREPARE ? PREPARE_HEADER_SIZE : TIMESTAMP_SIZE;
  return XLOG_DATA_LENGTHS.get(info & INFO_TYPE_MASK) as number;
}

/** Whether a record ends a transaction: what PostgreSQL compares with a recovery target in time or xid. */
export function isTransactionEnd(rmid: number, info: number): boolean {
  const type = info & XACT_TYPE_MASK;
  return rmid === RM_XACT && type <= XACT_ABORT_PREPARED && type !== XACT_PREPARE;
}
