import type { RepositoryRecord } from "@soar/repository";
import type { RecoveryWindow } from "@soar/repository/window";
import type { CallOptions } from "@soar/storage";
import type { Finding } from "./finding.ts";
import type { VerifyPool } from "./full/verify-pool.ts";
import type { AgeLimits } from "./quick/check-ages.ts";
import type { ServerWord } from "./quick/check-last-archived.ts";
import type { SampleRules } from "./sample/choose-sample.ts";
import type { Memories } from "./sample/read-memory.ts";

/**
 * How much is read. `quick`: records, listings, seek tables and manifests. `stored`: every byte besides, compared as it is
 * stored, without decompressing. `full`: every byte, and what it holds. `sample`: quick, and
 * the share of all bytes that was read longest ago; with `newest` also everything of the newest backup and of its WAL.
 */
export type Depth =
  | { readonly level: "quick" | "stored" | "full" }
  | ({ readonly level: "sample"; readonly newest: boolean; readonly memory: Memories } & SampleRules);

export interface VerifyOptions extends CallOptions {
  /** Only these backups, and the WAL from the oldest of them on; all of them when empty. */
  readonly labels?: readonly string[];
  readonly depth: Depth;
  /** Things read at once. */
  readonly jobs: number;
  /** Asked once, before the bucket is listed; left out where there is no server to ask. */
  readonly askServer?: ((repository: RepositoryRecord) => Promise<ServerWord>) | undefined;
  /** Name of this machine, for the lease. */
  readonly host: string;
  readonly now: () => Date;
  /** Worker threads to use; by default the run has threads of its own. */
  readonly pool?: VerifyPool;
  readonly limits?: Partial<AgeLimits>;
  readonly onEvent?: (event: VerifyEvent) => void;
}

export type VerifyEvent =
  /** Stored bytes that were read, of those that will be. */
  | { readonly type: "progress"; readonly done: number; readonly total: number }
  /** Expiry does not know of this run: its key may not write, or the lease could not be renewed. */
  | { readonly type: "no-lease"; readonly reason: string };

export interface VerifyReport {
  readonly repository: RepositoryRecord;
  /** What the server said of its archive; undefined when it was not to be asked. */
  readonly server: ServerWord | undefined;
  /** Worst first. */
  readonly findings: readonly Finding[];
  readonly backups: readonly VerifiedBackup[];
  readonly wal: { readonly segments: number; readonly read: number };
  /** What can be restored; undefined when it cannot be told, which is a finding. */
  readonly window: RecoveryWindow | undefined;
  readonly newestBackupAt: string | undefined;
  readonly lastArchivedAt: string | undefined;
  /** Bytes below `base/`, `wal/` and `tail/`. */
  readonly storedBytes: number;
  /** Bytes that were read to be compared, as stored and decompressed. */
  readonly readBytes: number;
  readonly plainBytes: number;
  /** What a memory is to remember: the units that were read, those of them that are damaged, and all that there are, when all backups were looked at. */
  readonly units: {
    readonly read: readonly string[];
    readonly damaged: readonly string[];
    readonly existing: readonly string[] | undefined;
  };
  /** Of what is not read in this run: since when nobody has compared its bytes; undefined when everything was read. */
  readonly unreadSince: string | undefined;
}

export interface VerifiedBackup {
  readonly label: string;
  readonly kind: "full" | "incremental";
  /** `part`: every byte was to be read, and not all of them are there. */
  readonly read: "quick" | "stored" | "sample" | "full" | "part";
}
