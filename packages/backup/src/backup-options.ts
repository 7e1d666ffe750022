import type { ConnectionConfig } from "@soar/pg-tools/replication";
import type { BackupRecord } from "@soar/repository";
import type { SettledClock, StampBounds } from "@soar/repository/time";
import type { ArchiveWal } from "@soar/restore";
import type { Codec } from "@soar/seekable-tar";
import type { ChangesEvent } from "./changes/find-unchanged.ts";
import type { ClaimBackupOptions, ClaimedBackup, ClaimEvent } from "./claim/claim-backup.ts";
import type { ClockEvent } from "./health/run-clock.ts";
import type { BackupSource } from "./source/backup-source.ts";

export interface TakeBackupOptions extends Omit<ClaimBackupOptions, "holdsLock" | "reads" | "newestStamp" | "onEvent"> {
  /** For SQL: facts, lock, health of the archiver. */
  readonly server: ConnectionConfig;
  /** What reads the cluster: `replicationSource` or `programSource`. */
  readonly source: BackupSource;
  readonly codec: Codec;
  readonly level?: number | undefined;
  /** Members compressed at once. */
  readonly jobs: number;
  readonly checkpoint: "fast" | "spread";
  /** The server reads no faster than this, in bytes a second: 32 KiB to 1 GiB. */
  readonly rateLimitBytes?: number | undefined;
  /**
   * Of the chunks that an incremental need not read, because WAL says so, 0 to 1: how many are read all the same and compared,
   * before anything is left unread. 2 % unless said otherwise.
   */
  readonly compareShare?: number | undefined;
  /** Of so many incrementals in a row, one compares all of them; 0 or undefined is none. */
  readonly compareEvery?: number | undefined;
  /** The server is a scratch standby: what a restore has to know of the one that it stands for. */
  readonly replayed?: ReplayedSource | undefined;
  /** A claim that was made before the server was there, and the clock that it goes by. */
  readonly begun?: { readonly claimed: ClaimedBackup; readonly clock: SettledClock } | undefined;
  /**
   * The stamps in the repository before this run, where this machine does the stamping, and nobody else refuses a clock
   * that is wrong: no claim lapses by this machine's clock alone, and none that is behind names a backup.
   */
  readonly stamps?: StampBounds | undefined;
  /**
   * Stores the newest WAL of a server whose files are read here, so that the end of the backup need not wait for the server's archiver,
   * once that was seen to store a segment in this bucket.
   */
  readonly archiveWal?: ArchiveWal | undefined;
  /** How long ago the archiver may have been seen for that, in milliseconds; 10 minutes unless said otherwise. */
  readonly archiverFreshMs?: number | undefined;
  /** How long the WAL of the finished backup may take to reach the bucket, in milliseconds. */
  readonly walTimeoutMs: number;
  /** How often the connection that holds the lock is looked after, in milliseconds; 30 seconds unless said otherwise. */
  readonly lockIntervalMs?: number | undefined;
  /** How long archiving may fail before the backup is not even begun, in milliseconds. */
  readonly archiverPatienceMs: number;
  readonly toolVersion: string;
  readonly onEvent?: (event: BackupEvent) => void;
}

/** A server as an earlier backup of it recorded it. */
export interface ReplayedSource {
  /** `server-config.tar.gz`, byte for byte. */
  readonly serverConfig: Buffer;
  readonly host: string;
  readonly machine: BackupRecord["source"]["machine"];
  readonly dataDirectory: string;
  readonly settings: BackupRecord["settings"];
  readonly leftOut: BackupRecord["leftOut"];
  /** What its configuration names and `serverConfig` lacks, one sentence each. */
  readonly configLeftOut: readonly string[];
}

export type BackupEvent =
  | ClaimEvent
  | ClockEvent
  | ChangesEvent
  /** Bytes of files that an incremental took from earlier backups without reading them. */
  | { readonly type: "left-unread"; readonly bytes: number }
  /** Bytes of the cluster that were read, of about `total`. */
  | { readonly type: "progress"; readonly done: number; readonly total: number | undefined }
  /** What the server said about its own data directory, in its language. */
  | { readonly type: "server-warning"; readonly message: string }
  /** A file that the configuration names and that could not be kept, in a sentence. */
  | { readonly type: "config-left-out"; readonly message: string }
  /** The server's archiver has stored this segment, which was finished when the backup began. */
  | { readonly type: "archiver-seen"; readonly name: string }
  /** The backup is whole; why what the server writes from now on may not reach the bucket. */
  | { readonly type: "archiver-doubt"; readonly doubt: string }
  | { readonly type: "waiting-for-wal"; readonly missing: string }
  | { readonly type: "reading-back" };
