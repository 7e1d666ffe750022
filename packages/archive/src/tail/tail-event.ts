export type TailEvent =
  | { readonly type: "tail-connected"; readonly timeline: number; readonly startLsn: bigint }
  /** What an earlier run has shipped of the segment is in the bucket, and is what the server sends now. */
  | { readonly type: "tail-found"; readonly segmentName: string; readonly endLsn: bigint }
  | {
      readonly type: "tail-shipped";
      readonly segmentName: string;
      readonly endLsn: bigint;
      readonly bytes: number;
      readonly storedBytes: number;
      readonly durationMs: number;
    }
  /** A piece was put that holds all of the segment up to there, for those who read it. */
  | {
      readonly type: "tail-consolidated";
      readonly segmentName: string;
      readonly bytes: number;
      readonly storedBytes: number;
    }
  /** In synchronous mode: the server was told that WAL up to here is in the bucket, which lets commits return. */
  | { readonly type: "tail-confirmed"; readonly lsn: bigint }
  /** The connection or the store failed; tried again after `retryInMs`. */
  | { readonly type: "tail-interrupted"; readonly error: unknown; readonly retryInMs: number }
  /** Shipping ended for good: somebody has to act. */
  | { readonly type: "tail-stopped"; readonly error: unknown };
