import { AVIATION_SCHEMA, smallTablesSql } from "./schema.ts";
import { fixesSql, messagesSql, partitionSql, type Partition } from "./partitions.ts";

/** Runs SQL of several statements in one database, each call on a connection of its own. */
export type RunSql = (sql: string) => Promise<unknown>;

export interface AviationOptions {
  /** Wanted size of the database on disk, indexes included; the result is within a tenth above 50 MB. */
  readonly sizeMb: number;
  /** Number of daily partitions. */
  readonly days?: number;
  /** The newest day, `YYYY-MM-DD` in UTC. */
  readonly newestDay?: string;
  /** Partitions that are filled at the same time. */
  readonly parallel?: number;
}

/** Bytes on disk per row with all indexes, measured on PostgreSQL 15; half of the size goes to each table. */
const BYTES_PER_ROW = { aprs_messages: 412, fixes: 444 } as const;
/** An empty database with the schema. */
const EMPTY_MB = 9;
const DEFAULT_NEWEST_DAY = "2025-01-10";

/** Creates the owner's tables in an empty database and fills them on the server. */
export async function loadAviationData(run: RunSql, options: AviationOptions): Promise<void> {
  const { sizeMb, days = 4, newestDay = DEFAULT_NEWEST_DAY, parallel = 2 } = options;
  const devices = clamp(Math.round(sizeMb * 20), 100, 30_000);
  await run(AVIATION_SCHEMA);
  await run(
    smallTablesSql({
      devices,
      receivers: clamp(Math.round(sizeMb / 2), 20, 1_500),
      flights: devices * 3,
      day: newestDay,
    }),
  );
  const waiting = planPartitions(Math.max(sizeMb - EMPTY_MB, 1), days, newestDay);
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await run(partitionSql(next));
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

/** SQL of one small transaction as they arrive all day: messages and fixes for the newest day, and a device that was seen. */
export function aviationTrafficSql(options: { readonly rows?: number; readonly newestDay?: string } = {}): string {
  const { rows = 50, newestDay = DEFAULT_NEWEST_DAY } = options;
  return `
BEGIN;
${messagesSql("aprs_messages", newestDay, rows)};
${fixesSql("fixes", newestDay, rows)};
UPDATE devices SET last_fix_at = clock_timestamp(), updated_at = clock_timestamp() WHERE id IN (SELECT id FROM devices ORDER BY random() LIMIT 5);
COMMIT;
`;
}

function planPartitions(sizeMb: number, days: number, newestDay: string): Partition[] {
  const newest = Date.parse(`${newestDay}T00:00:00Z`);
  const names = Array.from({ length: days }, (_, index) =>
    new Date(newest - (days - 1 - index) * 86_400_000).toISOString().slice(0, 10),
  );
  const rowsOf = (table: Partition["table"]): number =>
    Math.max(1, Math.round((sizeMb * 2 ** 20) / 2 / days / BYTES_PER_ROW[table]));
  return names.flatMap((day) =>
    (["aprs_messages", "fixes"] as const).map((table) => ({ table, day, rows: rowsOf(table) })),
  );
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
