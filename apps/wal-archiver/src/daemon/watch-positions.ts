import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "@soar/app-kit";
import type { PositionHistory } from "@soar/archive";
import { hasErrorCode } from "@soar/errors";
import { connectSql, type ServerConfig, type SqlConnection } from "@soar/pg-tools";
import { readPosition } from "../read-position.ts";

const EVERY_MS = 2_000;

/** Asks the server again and again how far its WAL goes, until the signal aborts. A server that is down is asked later. */
export async function watchPositions(server: ServerConfig, options: { readonly history: PositionHistory; readonly log: Log; readonly signal: AbortSignal }): Promise<void> {
  const { history, log, signal } = options;
  let connection: SqlConnection | undefined;
  let hasFailed = false;
  while (!signal.aborted) {
    try {
      connection ??= await connectSql(server, { signal });
      const lsn = await readPosition(connection, signal);
      if (lsn !== undefined) history.add(lsn, Date.now());
      hasFailed = false;
    } catch (error) {
      if (signal.aborted) break;
      if (!hasErrorCode(error, "SERVER_UNREACHABLE", "SERVER_DENIED", "SERVER_FAILED", "SERVER_UNSUITABLE", "CONFIG_INVALID")) throw error;
      if (!hasFailed) log.warn(`the server cannot be asked how far its WAL goes, so only whole segments are counted: ${error.message}`);
      hasFailed = true;
      await connection?.[Symbol.asyncDispose]();
      connection = undefined;
    }
    await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  await connection?.[Symbol.asyncDispose]();
}
