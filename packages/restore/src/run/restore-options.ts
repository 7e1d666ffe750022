import type { RecoveryEvent, RecoveryOutcome } from "@soar/pg-tools/cluster";
import type { BackupRecord } from "@soar/repository";
import type { ArchivedLocalWal, ArchiveWal } from "../archive-wal/archive-local-wal.ts";
import type { FoundThere } from "../go-on/check-there.ts";
import type { Approach } from "../fetch/delta/approach.ts";
import type { KeptEarlier } from "../status/kept-record.ts";
import type { RestoredChecks, TargetAction } from "../status/restore-record.ts";
import type { LinkThere } from "../in-place/links-there.ts";
import type { PausedServer } from "../recover/look-at-paused.ts";
import type { ReplayProgress } from "../recover/replay-progress.ts";
import type { Owner } from "@soar/durable-files";
import type { ChangedSetting } from "../server-config/refused-settings.ts";
import type { RestorePlan } from "../plan/plan.ts";
import type { RestoreTarget } from "../plan/restore-target.ts";
import type { OpenedRestore } from "../in-place/forget-restore.ts";
import type { ServerControl } from "../server-control/server-control.ts";
import type { RestoreWork } from "../work-done.ts";
import type { SpoolEvent } from "../wal/spool/open-spool.ts";

export interface RestoreOptions {
  /** Absolute path of the data directory to fill: absent, empty, that of the lost server, or what an interrupted restore left. */
  readonly dataDir: string;
  /** The path by which it was named, where that is a link to `dataDir`. */
  readonly namedDir?: string | undefined;
  /** Whether another state of the same cluster may be overwritten where it lies, of which only what differs is fetched. */
  readonly overwrite?: boolean | undefined;
  /** New places of tablespaces, old path to new path. */
  readonly tablespaceMap?: ReadonlyMap<string, string>;
  /** Absolute path of a directory elsewhere for pg_wal, to which it becomes a link; see `requireWalPlace`. */
  readonly walDir?: string | undefined;
  /** Directories to look for PostgreSQL's programs in, before the usual ones. */
  readonly binDirs: readonly string[];
  /** Who runs the server and owns the files; needed when this runs as root and the parent directory belongs to root. */
  readonly owner?: Owner | undefined;
  readonly jobs: number;
  /** Words of the command that runs `wal-fetch`, without the plan's path and the file's name. */
  readonly walFetchProgram: readonly string[];
  /** The whole environment of the server and of `wal-fetch`. */
  readonly env: Readonly<Record<string, string>>;
  /** The whole environment of the system's own programs: `systemctl`, `pg_ctlcluster`. */
  readonly systemEnv: Readonly<Record<string, string>>;
  /** Whether the saved configuration is put back where it was; see `compareServerConfig`. */
  readonly withConfig?: boolean | undefined;
  readonly port?: number | undefined;
  readonly action: TargetAction;
  /** Unit that runs the server, where none can be found out. */
  readonly service?: string | undefined;
  /** Units of applications, stopped before anything is touched and started when the server has been proved. */
  readonly appServices?: readonly string[] | undefined;
  /** A role of the source, for looking into the restored server where the record of the backup names no superuser. */
  readonly role: string;
  /** Plans again after the server was stopped: until then it wrote WAL. */
  readonly replan: () => Promise<RestorePlan>;
  /** Stores a WAL file that recovery took from this machine's disk, once the server takes writes in its own right. */
  readonly archiveWal: ArchiveWal;
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: (event: RestoreEvent) => void;
}

export type RestoreEvent =
  | { readonly type: "phase"; readonly phase: "fetch" | "recover" | "finish" | "archive" }
  /** Something of the machine was changed; a sentence for the log. */
  | { readonly type: "done"; readonly text: string }
  /** Expiry does not know of this restore: the key may not write, or the bucket is full. */
  | { readonly type: "no-lease"; readonly reason: string }
  /** Stored bytes of the backup that are in place, fetched or found there, of all. */
  | { readonly type: "fetched"; readonly bytes: number; readonly total: number }
  /** Files of WAL that only this machine had and that are in the repository now, of all. */
  | { readonly type: "archived"; readonly files: number; readonly total: number }
  | ReplayProgress
  | SpoolEvent
  | RecoveryEvent;

/** Where recovery ended, as far as its server told. */
export interface ReachedState {
  /** End of what was replayed; undefined unless the server was promoted, because nothing before tells it exactly. */
  readonly lsn: bigint | undefined;
  /** Where the server that recovered was sent. */
  readonly plannedLsn: bigint;
  /** Of the last commit that was replayed, in microseconds since 1970; undefined when there was none or the server has not told it. */
  readonly lastCommit: bigint | undefined;
  /** Of the first commit behind the end, by the WAL that was read; undefined where none was looked for. */
  readonly firstLeftOut: bigint | undefined;
  /** Whether WAL behind the end lay on this machine's disk only: recovery did not read it, and nobody stores it. */
  readonly leftOutOnDisk: boolean;
  /** The server's words on why it stopped; undefined when it went on to the end of the archive. */
  readonly stop: string | undefined;
}

/** What was asked, and what came of it. There is no plan in it: everything that it says to have been done was done or seen. */
export interface RestoreReport {
  readonly backup: BackupRecord;
  readonly target: RestoreTarget;
  readonly outcome: Pick<RecoveryOutcome, "kind" | "timeline">;
  readonly reached: ReachedState;
  readonly work: RestoreWork;
  /** What was found of an earlier run that was gone on with; undefined where everything was fetched or compared. */
  readonly foundThere: FoundThere | undefined;
  readonly dataDir: string;
  readonly inPlace: boolean;
  /** A clone that may not archive into the repository it came from. */
  readonly fenced: boolean;
  /** Where the server writes its log, unless it is started by a service. */
  readonly logFile: string | undefined;
  /** Where the old data directory is. */
  readonly keptAs: string | undefined;
  /** Which run has put it there, where it was not this one: it may be weeks ago. */
  readonly keptEarlier: KeptEarlier | undefined;
  /** Where WAL lies that a directory which was overwritten had not archived. */
  readonly savedWal: string | undefined;
  /** Undefined unless the server was promoted. */
  readonly checks: RestoredChecks | undefined;
  /** What was seen of a server that pauses at the target; undefined where it does not. */
  readonly paused: PausedServer | undefined;
  readonly control: ServerControl;
  /** The socket by which a server can be reached that does not take connections from outside yet. */
  readonly privateDir: string | undefined;
  /** Settings that got another value than the source had, because this host does not have that. */
  readonly changedSettings: readonly ChangedSetting[];
  /** Units that were started again. */
  readonly startedServices: readonly string[];
  /** What became of WAL that only this machine had; undefined where recovery needed none, and before promotion. */
  readonly localWal: ArchivedLocalWal | undefined;
}

export interface CheckedRestore {
  readonly binDir: string;
  /** Of the programs there, for example `15.20`. */
  readonly programVersion: string;
  /** Where the data directory will lie. */
  readonly freeBytes: number;
  readonly tablespaces: ReadonlyMap<number, string>;
  /** The cluster takes the place of the lost one. Everything else is a copy. */
  readonly inPlace: boolean;
  /** Where name and id of this machine contradict each other about that, in words. */
  readonly placeDoubts: readonly string[];
  readonly approach: Approach;
  readonly control: ServerControl;
  /** Whether units of applications can be stopped and started here. */
  readonly canControlServices: boolean;
  /** Where its configuration will come from, as far as that is not the base backup, in words. */
  readonly configuration: readonly string[];
  /** Links of old data that is put aside or overwritten, with what becomes of that to which they lead. */
  readonly linksThere: readonly LinkThere[];
  /** An earlier restore that was interrupted behind the start of its server, whatever this one makes of it. */
  readonly opened: OpenedRestore | undefined;
  /** What the restored server will look for and not find on this host, one sentence each. */
  readonly missingHere: readonly string[];
}

/** A restore before which everything that was in its way stands still. */
export interface Still {
  readonly plan: RestorePlan;
  readonly checked: CheckedRestore;
  /** Called before the first change of what lies there: until then what was stopped is started again when the restore fails. */
  readonly noteChange: () => void;
}
