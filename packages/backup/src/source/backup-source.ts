import type { Lsn } from "@soar/pg-tools";
import type { BackupTablespace, DamageReport, ServerFacts } from "@soar/pg-tools/replication";
import type { ControlFile } from "@soar/pg-tools/control-file";
import type { BackupRecord } from "@soar/repository";
import type { Codec, MemberLocation } from "@soar/seekable-tar";
import type { DigestFilter, WriteMembersOptions } from "@soar/seekable-tar/members";

/**
 * What reads a cluster for a base backup: the replication protocol, a program, or, later, several readers of the data
 * directory between `pg_backup_start` and `pg_backup_stop`. Everything behind it (members, seek table, upload, checks,
 * record) is the same for all of them and does not know which one it has.
 */
export interface BackupSource<Archives extends Archive = ArchiveStream | ArchiveFiles> {
  /** As the record names it. */
  readonly method: BackupRecord["source"]["method"];
  /**
   * Refuses what this source cannot do, before anything is begun: rejects with `SERVER_UNSUITABLE`, `SERVER_VERSION` or
   * `PROGRAM_MISSING`.
   */
  check(facts: ServerFacts): Promise<void>;
  /**
   * Begins a backup in the server and resolves when its start is known, at the latest before the first archive is read.
   * Rejects with `SERVER_*` or `PROGRAM_FAILED`, `ABORTED` when the signal is raised; nothing stays begun then.
   */
  begin(request: BackupRequest): Promise<RunningBackup<Archives>>;
}

export interface BackupRequest {
  /** Written into backup_label. */
  readonly label: string;
  readonly checkpoint: "fast" | "spread";
  /** Read no faster than this, in bytes a second. */
  readonly rateLimitBytes: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Bytes of the cluster that were read, of about `total`. */
  readonly onProgress: (done: number, total: number | undefined) => void;
  /**
   * Called, by a source with a `local` server, as soon as the server has ended the backup: everything that it needs is then in
   * finished segments of pg_wal.
   */
  readonly onStopped?: ((stopped: StopPosition) => void) | undefined;
}

/** Where the server has ended a backup. */
export interface StopPosition {
  readonly stopLsn: Lsn;
  readonly timeline: number;
}

/** A backup between its start and its stop. Disposing of one that has not finished ends it in the server, too. */
export interface RunningBackup<Archives extends Archive = ArchiveStream | ArchiveFiles> extends AsyncDisposable {
  readonly startLsn: Lsn;
  readonly startTimeline: number;
  /** What will come, with estimates: `undefined` as oid is the data directory. */
  readonly tablespaces: readonly BackupTablespace[];
  /**
   * The archives, each once: one per tablespace and one for the data directory, which is the last to end, because it
   * holds `backup_label` byte for byte, `tablespace_map` where there are tablespaces, and `pg_control` behind everything
   * else; a source that gets these from `pg_backup_stop` stops the backup before it ends this stream. Rejects, and so does
   * the stream of an archive, with `BACKUP_INCOMPLETE` when the server or the program ends early.
   */
  archives(): AsyncGenerator<Archives, void, undefined>;
  /** What of the server's machine can be read here; undefined where the server sends everything. */
  readonly local?: LocalServer | undefined;
  /** To be called when every archive was read to its end. Rejects with `BACKUP_INCOMPLETE` or `WAL_TIMEOUT`. */
  finish(): Promise<FinishedBackup>;
}

/** A file of which several threads may read. */
export interface OpenedFile {
  readonly fd: number;
  /** Once or more often. */
  close(): void;
}

/** A server whose files are at hand. */
export interface LocalServer {
  readonly control: ControlFile;
  /** Path of the data directory. */
  readonly dataDirectory: string;
  /** A file by its path in the data directory; undefined when it is gone. Rejects with `FILE_UNREADABLE`. */
  openFile(path: string): OpenedFile | undefined;
  /**
   * The file of a WAL segment, piece by piece, no faster than the rate limit of the backup allows; undefined when it is not there.
   * Reading rejects with `ABORTED` when the backup's signal is raised. It is open until it is read to its end, or the loop is left.
   */
  openWal(name: string): Promise<AsyncIterable<Buffer> | undefined>;
  /** Resolves when the rate limit of the backup lets so many more bytes be read. Rejects with `ABORTED`. */
  pace(bytes: number): Promise<void>;
}

interface Archive {
  readonly oid: number | undefined;
  /** Path of the tablespace on the server. */
  readonly location: string | undefined;
}

/**
 * One tar of a backup. A source with one stream underneath gives the next archive when this one was read to its end; one
 * with several readers may give all at once, to be read side by side. However many read, the bytes come as one tar.
 */
export interface ArchiveStream extends Archive {
  /** A complete tar with any chunk boundaries; a chunk is copied before the next one is asked for. */
  readonly data: AsyncIterable<Uint8Array>;
}

/** One archive of a backup whose members the source reads and packs itself, side by side. */
export interface ArchiveFiles extends Archive {
  members(request: PackingRequest): MemberItems;
}

/** What members are made of, and how: the part of `WriteMembersOptions` that depends on where they come from. */
export type MemberItems = Pick<WriteMembersOptions<unknown>, "items" | "pack" | "maxItems">;

export interface PackingRequest {
  readonly codec: Codec;
  readonly level: number | undefined;
  /** Members that are packed at once. */
  readonly workers: number;
  /** For an incremental backup. */
  readonly existing: ExistingMembers | undefined;
  /** Of these, what need not be read to know that it is there. */
  readonly unchanged: UnreadChunks | undefined;
}

/** Chunks of files that an earlier backup has, and that are known not to have changed since. */
export interface UnreadChunks {
  /** Where the chunk of a file (relative to the data directory) lies; undefined when it has to be read. */
  find(path: string, position: number, length: number): MemberLocation | undefined;
}

/** What earlier backups hold. */
export interface ExistingMembers {
  find(sha256: Buffer, plainLength: number): MemberLocation | undefined;
  /** For threads that would else compress what is there already. */
  readonly digests: DigestFilter;
}

export interface FinishedBackup {
  /** `backup_manifest`, byte for byte. */
  readonly manifest: Buffer;
  readonly stopLsn: Lsn;
  readonly timeline: number;
  /** Pages whose checksum was wrong at the source: the backup is whole all the same. */
  readonly damaged: DamageReport | undefined;
  /** What else the server warned of, for example of a link that it passed over. */
  readonly warnings: readonly string[];
}

/** The sum of the estimates, unless one is missing. */
export function estimatedTotal(tablespaces: readonly BackupTablespace[]): number | undefined {
  return tablespaces.reduce<number | undefined>(
    (sum, { estimatedBytes }) => (sum === undefined || estimatedBytes === undefined ? undefined : sum + estimatedBytes),
    0,
  );
}
