import type { BackupRecord } from "@soar/repository";
import type { WalChain } from "@soar/repository/chain";
import type { Lsn } from "@soar/pg-tools";
import { segmentsUntil } from "./segments-until.ts";
import { LARGEST_SPOOL_BYTES, LARGEST_SPOOL_SEGMENTS, SPOOL_SHARE } from "./spool-limits.ts";

/** The end of the last segment on the new timeline, the next one, and one that is made before it is needed. */
const NEW_SEGMENTS = 3;
const DEFAULT_MAX_WAL_BYTES = 2 ** 30;
const UNITS: Readonly<Record<string, number>> = { kB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };

export interface WalRoomOptions {
  readonly chain: WalChain;
  readonly stopLsn: Lsn;
  readonly settings: BackupRecord["settings"];
}

/**
 * Room that pg_wal takes besides the cluster's data: what recovery keeps, what is fetched ahead, and the segments that the
 * promoted server begins with. A server in recovery keeps what it was given until its next restart point, which may be a
 * checkpoint of the source behind max_wal_size ("WAL Configuration" of PostgreSQL's documentation).
 */
export function walRoomBytes({ chain, stopLsn, settings }: WalRoomOptions): number {
  const { segmentSize } = chain;
  const replayed = segmentsUntil(chain, stopLsn).length * segmentSize;
  const kept = Math.min(replayed, 2 * maxWalBytes(settings["max_wal_size"]));
  // The spool takes no more than its share of what is free then, so that the rest is enough for what is kept.
  const share = Math.ceil(kept * (SPOOL_SHARE / (1 - SPOOL_SHARE)));
  const largest = Math.min(LARGEST_SPOOL_BYTES, LARGEST_SPOOL_SEGMENTS * segmentSize, replayed);
  return kept + Math.min(largest, Math.max(segmentSize, share)) + NEW_SEGMENTS * segmentSize;
}

/** As the server shows it: a number with a unit. */
function maxWalBytes(text: string | undefined): number {
  const [, digits, unit = "MB"] = /^(\d+)\s*([kMGT]B)?$/.exec(text ?? "") ?? [];
  return digits === undefined ? DEFAULT_MAX_WAL_BYTES : Number(digits) * (UNITS[unit] ?? 1);
}
