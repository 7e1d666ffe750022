import type { RecoveryEvent, RecoveryOutcome } from "@soar/pg-tools/cluster";
import type { ConnectionConfig } from "@soar/pg-tools/replication";
import type { TableOutline } from "@soar/seekable-tar";
import type { FetchedScope } from "./fetch-scope.ts";
import type { RescueChoice, RescueScope } from "./rescue-scope.ts";
import type { ScratchDirectory } from "./scratch-directory.ts";

export interface ScratchOptions {
  /** Holds the scratch cluster and the dump; made when it is missing. */
  readonly tempDir: string;
  /** Directories to look for PostgreSQL's programs in, before the usual ones. */
  readonly binDirs: readonly string[];
  /** Who runs the server, when this runs as root. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly jobs: number;
  /** A role of the source to log in as; a superuser is looked for through it. */
  readonly role: string;
  readonly signal: AbortSignal;
  readonly onEvent?: (event: RescueEvent) => void;
}

export type RescueEvent =
  | { readonly type: "fetching"; readonly scope: RescueScope["kind"]; readonly plainBytes: number }
  | { readonly type: "fetched"; readonly bytes: number }
  | { readonly type: "libraries-missing"; readonly names: readonly string[] }
  /** Left out, because nobody can say where this host's server keeps its libraries. */
  | { readonly type: "libraries-unknown"; readonly names: readonly string[] }
  | { readonly type: "replaying" }
  | { readonly type: "replayed"; readonly reachedLsn: bigint | undefined; readonly invalidPages: number }
  /** The choice of files was not proved right: everything begins again with more of them. */
  | { readonly type: "widened"; readonly reason: string }
  /** What was planned had expired before expiry knew of this rescue: it begins with this backup. */
  | { readonly type: "planned-again"; readonly label: string }
  /** Expiry does not know of this rescue. */
  | { readonly type: "no-lease"; readonly reason: string }
  | { readonly type: "dumping" }
  | { readonly type: "loading" }
  | RecoveryEvent;

/** A server with the rescued state, that takes connections on its socket only. */
export interface ScratchCluster {
  readonly directory: ScratchDirectory;
  readonly binDir: string;
  /** As a superuser of the source. */
  readonly server: ConnectionConfig;
  /** What it was started with: nothing of it is in a file. */
  readonly settings: Readonly<Record<string, string>>;
  readonly configFile: string;
  readonly placeholders: FetchedScope["placeholders"];
  readonly outcome: RecoveryOutcome;
  readonly fetchedBytes: { readonly backup: number; readonly wal: number };
}

export interface ScratchWork<T> {
  readonly choice: RescueChoice;
  readonly table: TableOutline;
  /** The database that is rescued; no other one can be opened. Undefined when everything is fetched and any will do. */
  readonly database: string | undefined;
  /** Tells what speaks against the choice of files, seen from the state that was reached; undefined when nothing does. */
  verify(scratch: ScratchCluster): Promise<string | undefined>;
  use(scratch: ScratchCluster): Promise<T>;
}

/** The result, or why the choice of files cannot be trusted. */
export type ScratchResult<T> = { readonly value: T; readonly doubt?: never } | { readonly doubt: string };
