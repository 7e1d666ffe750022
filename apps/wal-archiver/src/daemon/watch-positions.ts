import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "@soar/app-kit";
import type { CommitWatch } from "@soar/archive/status";
import type { PositionHistory } from "@soar/archive/server-wal";
import { hasErrorCode } from "@soar/errors";
import { connectSomewhere, type ConnectionConfig, type SqlConnection } from "@soar/pg-tools/replication";
import { readPosition } from "../read-position.ts";

const EVERY_MS = 2_000;
/** Other roles' sessions show what they wait for only to members of pg_read_all_stats. */
const WAITING = `select current_setting('synchronous_standby_names') as names,
  case when pg_has_role('pg_read_all_stats', 'usage') then (select count(*)::int from pg_stat_activity where wait_event = 'SyncRep') end as sessions`;

export interface WatchOptions {
  readonly history: PositionHistory;
  readonly commits: CommitWatch;
  /** Whether any name in `synchronous_standby_names` may mean this archiver. */
  readonly synchronous: boolean;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Asks the server again and again how far its WAL goes and who waits, until the signal aborts. A server that is down is asked later. */
export async function watchPositions(server: ConnectionConfig, options: WatchOptions): Promise<void> {
  const { history, commits, log, signal } = options;
  let connection: SqlConnection | undefined;
  let hasFailed = false;
  while (!signal.aborted) {
    try {
      connection ??= await connectSomewhere(server, { signal });
      const lsn = await readPosition(connection, signal);
      if (lsn !== undefined) history.add(lsn, Date.now());
      const [row] = await connection.query<{ names: string; sessions: number | null }>(WAITING, [], { signal });
      commits.look({
        isNamed: isNamed(row?.names ?? "", options),
        sessions: row?.sessions ?? undefined,
        atMs: Date.now(),
      });
      hasFailed = false;
    } catch (error) {
      if (signal.aborted) break;
      if (
        !hasErrorCode(
          error,
          "SERVER_UNREACHABLE",
          "SERVER_DENIED",
          "SERVER_FAILED",
          "SERVER_UNSUITABLE",
          "CONFIG_INVALID",
        )
      )
        throw error;
      if (!hasFailed)
        log.warn(
          `the server cannot be asked how far its WAL goes, so only whole segments are counted: ${error.message}`,
        );
      hasFailed = true;
      await connection?.[Symbol.asyncDispose]();
      connection = undefined;
    }
    await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  await connection?.[Symbol.asyncDispose]();
}

/** Names are compared without case; `*` is anybody, so it means this archiver only if it wants to be waited for. */
function isNamed(names: string, { synchronous }: Pick<WatchOptions, "synchronous">): boolean {
  return /(?:^|[\s,("])soar(?:$|[\s,)"])/i.test(names) || (synchronous && names.includes("*"));
}
