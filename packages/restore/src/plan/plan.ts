import type { TimelineHistory } from "@soar/pg-tools";
import type { BackupRecord } from "@soar/repository";
import type { WalChain } from "@soar/repository/chain";
import type { CommitsNearby } from "./count-commits-nearby.ts";
import type { ParameterMinimums } from "./parameter-minimums.ts";
import type { RestoreTarget } from "./restore-target.ts";
import type { ResolvedTarget } from "./resolve-target.ts";

/** Everything that is decided before anything is touched. A value: it can be printed, compared and tested. */
export interface RestorePlan {
  /** Where the repository is, for messages. */
  readonly location: string;
  readonly backup: BackupRecord;
  readonly target: RestoreTarget;
  readonly resolved: ResolvedTarget;
  /** The WAL from the backup's first segment on, on the one lineage that recovery follows. */
  readonly chain: WalChain;
  /** Timelines that only this machine knows: no new one may take their numbers. */
  readonly localHistories: readonly TimelineHistory[];
  /**
   * Compressed bytes to download into an empty directory: the backup with its seek table, and the WAL up to the target's
   * segment. How much really comes is counted while it comes; see `RestoreReport`.
   */
  readonly fetchBytes: { readonly backup: number; readonly wal: number };
  /** Transactions within a second of the target; undefined where no time is known. */
  readonly nearby: CommitsNearby | undefined;
  /** What the server that recovers must allow at least, where it lets anybody in before the end. */
  readonly minimums: ParameterMinimums;
  /** Bytes that the files of the restored cluster take, holes of sparse files included, and pg_wal not. */
  readonly neededBytes: number;
  /** Bytes that pg_wal takes besides while the restore goes on; see `walRoomBytes`. */
  readonly neededWalBytes: number;
  /** Backups that were considered and passed over, newest first, with the reason. */
  readonly passedOver: readonly { readonly label: string; readonly reason: string }[];
  /** What is true and worth knowing, but no obstacle. */
  readonly warnings: readonly string[];
}
