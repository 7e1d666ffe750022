import type { ConnectionConfig } from "@soar/pg-tools/replication";
import type { ClusterIdentity } from "@soar/repository";
import type { TailPlace } from "./archive-continuity.ts";
import type { TailEvent } from "./tail-event.ts";

export interface TailOptions {
  readonly server: ConnectionConfig;
  readonly cluster: ClusterIdentity;
  /** New bytes are shipped at most so often. */
  readonly intervalMs: number;
  /** A physical slot that exists; without one the server may remove WAL before it was shipped, and never fills its disk. */
  readonly slot?: string | undefined;
  readonly level?: number | undefined;
  /**
   * With it COMMIT can wait for the bucket (`synchronous_standby_names = 'soar'`): pieces go back to back, full segments
   * too, and a position is reported as soon as it is in the bucket, but only once everything before is.
   */
  readonly synchronous?: boolean | undefined;
  /** Whether nothing that comes before a segment waits to be archived. A position behind such a hole is never reported. */
  readonly isArchivedBefore: (place: TailPlace) => boolean;
  readonly onEvent?: ((event: TailEvent) => void) | undefined;
  readonly signal: AbortSignal;
}
