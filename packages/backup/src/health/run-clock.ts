import { hasErrorCode } from "@soar/errors";
import type { ConnectionConfig, SqlConnection } from "@soar/pg-tools/replication";
import { CONFIG_KEY } from "@soar/repository";
import {
  settleClock,
  type OtherClock,
  type SettledClock,
  type StampBounds,
  type SteadyClock,
} from "@soar/repository/time";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { readServerHost } from "../server-host.ts";

export interface RunClockOptions extends CallOptions {
  /** The server that is backed up, and how it was reached; undefined where it takes no part in the backup. */
  readonly source?: { readonly sql: SqlConnection; readonly server: Pick<ConnectionConfig, "host"> } | undefined;
  /** Name of this machine. */
  readonly host: string;
  /** The stamps in the repository before this run, where this machine does the stamping. */
  readonly stamps?: StampBounds | undefined;
  readonly onEvent?: ((event: ClockEvent) => void) | undefined;
}

export type ClockEvent =
  /** Clocks contradict each other, as a sentence without its stop. */
  | { readonly type: "clock-doubt"; readonly doubt: string }
  /** What names and dates the backup instead of this machine's clock. */
  | { readonly type: "clock-settled"; readonly goesBy: string };

/**
 * Compares the clock of a run with those of the server, of the store, and of whoever stored something before, and gives the one that
 * the backup is named and dated by. A backup is taken in any case: one by a wrong clock is better than none, and says so itself.
 */
export async function settleRunClock(
  store: ObjectStore,
  clock: SteadyClock,
  options: RunClockOptions,
): Promise<SettledClock> {
  const { source, onEvent } = options;
  const server = source && (await serverClock(source, clock, options));
  // A server that keeps the repository tells its clock with any answer, and needs no stamps for it.
  const founded = await stampOfRepository(store, options);
  const shown = store.features.clock();
  const oldest = shown === undefined ? founded : undefined;
  const settled = settleClock(clock, {
    server,
    store: shown && { name: "the store's clock", clock: clock.now(), at: shown },
    stamps: options.stamps?.newest === undefined ? { newest: oldest, newestBeforeLeap: oldest } : options.stamps,
  });
  for (const doubt of settled.doubts) onEvent?.({ type: "clock-doubt", doubt });
  if (settled.goesBy !== undefined) onEvent?.({ type: "clock-settled", goesBy: settled.goesBy });
  return settled;
}

/** When the repository was founded. Undefined where the key may not look: what is only compared must not be what a backup fails for. */
async function stampOfRepository(store: ObjectStore, { signal }: CallOptions): Promise<Date | undefined> {
  try {
    return (await store.stat(CONFIG_KEY, { signal }))?.modifiedAt;
  } catch (error) {
    if (hasErrorCode(error, "STORE_DENIED")) return undefined;
    throw error;
  }
}

async function serverClock(
  { sql, server }: NonNullable<RunClockOptions["source"]>,
  clock: SteadyClock,
  { host, signal }: RunClockOptions,
): Promise<(OtherClock & { readonly isOfThisMachine: boolean }) | undefined> {
  const [row] = await sql.query<{ ms: string }>(
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text AS ms",
    [],
    { signal },
  );
  const now = clock.now();
  if (row === undefined) return undefined;
  const isOfThisMachine = (await readServerHost(sql, { host, server, signal })) === host;
  return { name: "the server's clock", clock: now, at: new Date(Number(row.ms)), isOfThisMachine };
}
