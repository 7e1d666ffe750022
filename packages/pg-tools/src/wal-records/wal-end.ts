import type { Lsn } from "../wal-names/lsn.ts";

/**
 * Why reading came to an end: `zeros` where WAL has not been written yet, `recycled` where a page still belongs to the
 * segment that the file was before, `invalid` for everything else: a torn write of a crash, or damage.
 */
export type WalEndCause = "zeros" | "recycled" | "invalid";

/** The place where PostgreSQL, too, would find no further valid record. */
export interface WalEnd {
  /** End of the last valid record. */
  readonly lsn: Lsn;
  readonly cause: WalEndCause;
  /** What was found instead of a record, for messages. */
  readonly fact: string;
}
