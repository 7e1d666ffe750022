import type { GapRecord } from "@soar/repository/markers";
import type { PutWalOutcome } from "@soar/repository/wal";

export type ArchiverEvent =
  | {
      readonly type: "archived";
      readonly name: string;
      readonly outcome: PutWalOutcome["outcome"];
      readonly sizeBytes: number;
      readonly storedBytes: number;
      readonly durationMs: number;
    }
  /** Nothing was archived: the segment lies in a declared gap. */
  | { readonly type: "given-up"; readonly name: string; readonly gap: GapRecord }
  /** Tried again after `retryInMs`; `attempts` counts failures since the last success. */
  | {
      readonly type: "failed";
      readonly name: string;
      readonly error: unknown;
      readonly attempts: number;
      readonly retryInMs: number;
    }
  /** The first success after failures that were the store's. */
  | { readonly type: "recovered"; readonly attempts: number; readonly outageMs: number }
  /** It is in the bucket, but the spool took no acknowledgement: the launcher will start Node for it. */
  | { readonly type: "unacknowledged"; readonly name: string; readonly error: Error };
