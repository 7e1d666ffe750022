/** PostgreSQL counts a `TimestampTz` from 2000-01-01T00:00:00Z, in microseconds. */
export const POSTGRES_EPOCH_MICROSECONDS = 946_684_800_000_000n;

/** A `TimestampTz` as microseconds since the Unix epoch. */
export function timestampAt(data: DataView, offset: number): bigint {
  return data.getBigInt64(offset, true) + POSTGRES_EPOCH_MICROSECONDS;
}

/** A `pg_time_t` (seconds since the Unix epoch) as microseconds. */
export function secondsAt(data: DataView, offset: number): bigint {
  return data.getBigInt64(offset, true) * 1_000_000n;
}

/** `enum WalLevel` (xlog.h). */
const WAL_LEVELS = ["minimal", "replica", "logical"] as const;

/** `wal_level` behind its number in WAL and pg_control. Unknown numbers, of versions to come, count as the highest. */
export function walLevelOf(level: number): (typeof WAL_LEVELS)[number] {
  return WAL_LEVELS[level] ?? "logical";
}

/** Text that ends at a zero byte or after `size` bytes. Bytes that are not UTF-8, from databases in another encoding, are replaced. */
export function textAt(data: DataView, offset: number, size: number): string {
  const bytes = Buffer.from(data.buffer, data.byteOffset + offset, size);
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? size : end);
}
