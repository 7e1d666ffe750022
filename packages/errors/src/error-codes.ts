/**
 * One row per failure that an operator can meet: the code that programs compare, the exit status of the binaries,
 * whether trying again by itself can help, and what it means. `docs/errors.md` is generated from this table.
 *
 * Exit statuses stay within 1..125: PostgreSQL's documentation of `archive_command` says that a command which exits
 * above 125, or dies of a signal, restarts the archiver and is left out of `pg_stat_archiver`. They are never
 * renumbered, because monitoring compares them. 1 is left free (a crashed Node exits with it), 64 and 70 are those of
 * sysexits(3) for wrong usage and for a bug.
 */
export const ERROR_CODES = {
  OPERATOR_DECLINED: {
    exitStatus: 2,
    retryable: false,
    meaning: "The operator was asked and said no; nothing was changed.",
  },
  CONFIRMATION_IMPOSSIBLE: {
    exitStatus: 3,
    retryable: false,
    meaning: "A destructive command has no terminal to ask on and was not given --yes.",
  },
  ABORTED: {
    exitStatus: 4,
    retryable: false,
    meaning: "The run was stopped by a signal or its caller before it finished.",
  },
  FINDINGS: { exitStatus: 5, retryable: false, meaning: "Verification finished and found something wrong." },
  FINDINGS_MINOR: {
    exitStatus: 6,
    retryable: false,
    meaning: "Verification finished; nothing is lost, but it found something that somebody should look at.",
  },

  CONFIG_INVALID: {
    exitStatus: 10,
    retryable: false,
    meaning: "A setting is missing or has a value that cannot be used.",
  },
  ENV_FILE_INVALID: {
    exitStatus: 11,
    retryable: false,
    meaning: "The env file has a line that is not a plain assignment.",
  },
  ENV_FILE_UNSAFE: {
    exitStatus: 12,
    retryable: false,
    meaning: "The env file can be read by others or belongs to somebody else.",
  },
  ENV_FILE_MISSING: {
    exitStatus: 13,
    retryable: false,
    meaning: "The env file that was named does not exist or cannot be read.",
  },

  FILE_UNREADABLE: { exitStatus: 20, retryable: false, meaning: "A local file cannot be read." },
  FILE_UNWRITABLE: { exitStatus: 21, retryable: false, meaning: "A local file or directory cannot be written." },
  DISK_FULL: { exitStatus: 22, retryable: false, meaning: "A local file system has no room left." },
  PROGRAM_MISSING: {
    exitStatus: 23,
    retryable: false,
    meaning: "A program that is needed is not installed or not found.",
  },
  PROGRAM_FAILED: { exitStatus: 24, retryable: false, meaning: "A program that was run ended with an error." },

  STORE_UNREACHABLE: {
    exitStatus: 30,
    retryable: true,
    meaning: "The storage endpoint cannot be reached or does not answer in time.",
  },
  STORE_BUSY: {
    exitStatus: 31,
    retryable: true,
    meaning: "The storage provider answered that it is busy or failing (503, SlowDown, 500).",
  },
  STORE_DENIED: {
    exitStatus: 32,
    retryable: false,
    meaning: "The storage provider refused the credentials or a permission is missing.",
  },
  STORE_QUOTA: { exitStatus: 33, retryable: false, meaning: "The storage quota or spending limit is exhausted." },
  STORE_PROTOCOL: {
    exitStatus: 34,
    retryable: false,
    meaning: "The storage provider gave an answer that breaks the protocol or cannot be trusted.",
  },
  STORE_UNSUPPORTED: {
    exitStatus: 35,
    retryable: false,
    meaning: "The storage provider does not support an operation that was asked for.",
  },
  BUCKET_MISSING: {
    exitStatus: 36,
    retryable: false,
    meaning: "The bucket or directory of the repository does not exist.",
  },
  OBJECT_MISSING: { exitStatus: 37, retryable: false, meaning: "An object is not there." },
  OBJECT_EXISTS: {
    exitStatus: 38,
    retryable: false,
    meaning: "An object of this name exists already and is never overwritten.",
  },
  OBJECT_ARCHIVED: {
    exitStatus: 39,
    retryable: false,
    meaning: "An object lies in an archive storage class and has to be thawed first.",
  },
  OBJECT_LOCKED: {
    exitStatus: 40,
    retryable: false,
    meaning: "An object is protected by Object Lock and cannot be removed yet.",
  },
  OBJECT_SHORT: { exitStatus: 41, retryable: true, meaning: "The body of an object ended before its length." },
  CLOCK_SKEWED: {
    exitStatus: 42,
    retryable: true,
    meaning: "The clock of this machine differs too much from the provider's.",
  },
  STORE_READ_ONLY: {
    exitStatus: 43,
    retryable: false,
    meaning: "A write was attempted through a read-only view of the store.",
  },

  WAL_NAME_INVALID: {
    exitStatus: 50,
    retryable: false,
    meaning: "A file name is not one that PostgreSQL gives to WAL files.",
  },
  WAL_INVALID: { exitStatus: 51, retryable: false, meaning: "A WAL file does not hold what its name says." },
  WAL_CONFLICT: {
    exitStatus: 52,
    retryable: false,
    meaning: "The repository holds other bytes under the name of this WAL file.",
  },
  WAL_MISSING: { exitStatus: 53, retryable: false, meaning: "A WAL segment that is needed is not in the repository." },
  WAL_TIMEOUT: {
    exitStatus: 54,
    retryable: false,
    meaning: "WAL that a backup needs did not reach the repository within the deadline.",
  },
  WAL_END: {
    exitStatus: 55,
    retryable: false,
    meaning: "The proved end of the WAL chain: there is no such file and there should not be one.",
  },

  REPOSITORY_MISSING: {
    exitStatus: 60,
    retryable: false,
    meaning: "There is no repository under this bucket and prefix yet.",
  },
  REPOSITORY_FOREIGN: { exitStatus: 61, retryable: false, meaning: "The repository belongs to another cluster." },
  REPOSITORY_VERSION: {
    exitStatus: 62,
    retryable: false,
    meaning: "The repository was written in a format that this version does not know.",
  },
  REPOSITORY_DAMAGED: {
    exitStatus: 63,
    retryable: false,
    meaning: "An object of the repository is damaged: its size or digest differs from what was recorded.",
  },
  USAGE: { exitStatus: 64, retryable: false, meaning: "The command line is wrong." },
  BACKUP_MISSING: { exitStatus: 65, retryable: false, meaning: "There is no such backup, or none that can be used." },
  BACKUP_RUNNING: { exitStatus: 66, retryable: false, meaning: "Another backup of this repository is running." },
  BACKUP_INCOMPLETE: {
    exitStatus: 67,
    retryable: false,
    meaning: "The server ended the base backup before it was complete.",
  },
  BACKUP_DAMAGED_PAGES: {
    exitStatus: 68,
    retryable: false,
    meaning: "The backup was kept, but the source has pages whose checksum is wrong.",
  },
  BACKUP_UNEXPLAINED_CHANGE: {
    exitStatus: 74,
    retryable: false,
    meaning: "The backup was kept and is whole, but a block of the server changed of which its WAL does not tell.",
  },
  FORMAT_INVALID: {
    exitStatus: 69,
    retryable: false,
    meaning: "A file or record cannot be parsed as what it should be.",
  },
  /** For users of seekable-tar alone; our programs say REPOSITORY_DAMAGED. */
  ARCHIVE_DAMAGED: {
    exitStatus: 73,
    retryable: false,
    meaning: "An archive or its table is damaged: its bytes are not those that were recorded.",
  },
  BACKUP_UNFOLLOWED: {
    exitStatus: 71,
    retryable: false,
    meaning: "The backup is complete, but something behind it failed: expiry, or telling the outcome.",
  },
  EXPIRY_DOUBTFUL: {
    exitStatus: 72,
    retryable: false,
    meaning: "Nothing was expired: clocks contradict each other, or hardly anything would be left.",
  },
  RECORD_TOO_LARGE: {
    exitStatus: 75,
    retryable: false,
    meaning: "A record was not written, because it has more than its readers take.",
  },
  BUG: { exitStatus: 70, retryable: false, meaning: "An unexpected error: a bug in this program." },

  SERVER_UNREACHABLE: { exitStatus: 80, retryable: true, meaning: "The PostgreSQL server cannot be reached." },
  SERVER_DENIED: {
    exitStatus: 81,
    retryable: false,
    meaning: "The PostgreSQL server refused the user, the password or a permission.",
  },
  SERVER_UNSUITABLE: {
    exitStatus: 82,
    retryable: false,
    meaning: "A setting of the PostgreSQL server makes this impossible.",
  },
  SERVER_RUNNING: { exitStatus: 83, retryable: false, meaning: "The PostgreSQL server is running and must not be." },
  SERVER_START_FAILED: { exitStatus: 84, retryable: false, meaning: "The PostgreSQL server did not start." },
  SERVER_FAILED: { exitStatus: 85, retryable: false, meaning: "The PostgreSQL server reported an error." },
  SERVER_VERSION: {
    exitStatus: 86,
    retryable: false,
    meaning: "The PostgreSQL version is not supported or does not match the backup.",
  },

  TARGET_INVALID: { exitStatus: 90, retryable: false, meaning: "The recovery target cannot be understood." },
  TARGET_BEFORE_BACKUP: {
    exitStatus: 91,
    retryable: false,
    meaning: "The recovery target lies before the end of the first backup that could reach it.",
  },
  TARGET_AFTER_ARCHIVE: {
    exitStatus: 92,
    retryable: false,
    meaning: "The recovery target lies after the last commit in the repository.",
  },
  TARGET_UNREACHABLE: {
    exitStatus: 93,
    retryable: false,
    meaning: "The recovery target cannot be reached from this backup.",
  },
  DIRECTORY_NOT_EMPTY: {
    exitStatus: 94,
    retryable: false,
    meaning: "The directory to restore into holds files already.",
  },
  DIRECTORY_FOREIGN: {
    exitStatus: 95,
    retryable: false,
    meaning: "The directory belongs to another cluster or to no cluster.",
  },
  RECOVERY_FAILED: {
    exitStatus: 96,
    retryable: false,
    meaning: "Recovery ended before the target, or the server died in it.",
  },
  RECOVERY_MISMATCH: { exitStatus: 97, retryable: false, meaning: "Recovery ended somewhere else than was asked." },
  TARGET_NOT_EMPTY: {
    exitStatus: 98,
    retryable: false,
    meaning: "The database or table to rescue into is there already and holds something.",
  },
} as const satisfies Record<string, ErrorCodeRow>;

export interface ErrorCodeRow {
  /** Exit status of a binary that ends with this failure, 1..125. */
  readonly exitStatus: number;
  /** Whether the same call may succeed later without anybody acting. */
  readonly retryable: boolean;
  /** One sentence for the documentation. */
  readonly meaning: string;
}

export type ErrorCode = keyof typeof ERROR_CODES;
