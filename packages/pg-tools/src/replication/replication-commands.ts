import { SoarError } from "@soar/errors";
import { parseLsn } from "../wal-names/lsn.ts";
import { parseTimelineHistory, type TimelineHistory } from "../timeline/timeline-history.ts";
import type { ResultSet } from "./backend-messages.ts";
import { quoteIdentifier } from "./quote-sql.ts";
import type { ReplicationConnection } from "./replication-connection.ts";

interface CommandOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface SystemIdentity {
  /** Unique for every initdb; too large for a number. */
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** Where WAL is written to, or replayed up to on a standby. */
  readonly walLsn: bigint;
}

/** IDENTIFY_SYSTEM. */
export async function identifySystem(
  connection: ReplicationConnection,
  options: CommandOptions = {},
): Promise<SystemIdentity> {
  const row = await oneRow(connection, "IDENTIFY_SYSTEM", { ...options, action: `identify '${connection.location}'` });
  return {
    systemIdentifier: text(row, "systemid"),
    timeline: Number(text(row, "timeline")),
    walLsn: parseLsn(text(row, "xlogpos")),
  };
}

/** SHOW: the value of a setting as text with its unit, for example `16MB`. */
export async function showSetting(
  connection: ReplicationConnection,
  name: string,
  options: CommandOptions = {},
): Promise<string> {
  const row = await oneRow(connection, `SHOW ${quoteIdentifier(name)}`, {
    ...options,
    action: `read the setting '${name}' of '${connection.location}'`,
  });
  const [value] = Object.values(row);
  return value ?? "";
}

/** TIMELINE_HISTORY: the history file of a timeline above 1. Rejects with `SERVER_FAILED` when the server does not have it. */
export async function timelineHistory(
  connection: ReplicationConnection,
  timeline: number,
  options: CommandOptions = {},
): Promise<{ name: string; content: string; history: TimelineHistory }> {
  const action = `read the history of timeline ${timeline} of '${connection.location}'`;
  const row = await oneRow(connection, `TIMELINE_HISTORY ${timeline}`, { ...options, action });
  const [name, content] = [text(row, "filename"), text(row, "content")];
  return { name, content, history: parseTimelineHistory(content, timeline) };
}

export interface ReplicationSlot {
  readonly type: "physical" | "logical";
  /** From here on the server keeps WAL; undefined until the slot was used. */
  readonly restartLsn: bigint | undefined;
  readonly restartTimeline: number | undefined;
}

/** READ_REPLICATION_SLOT (PostgreSQL 15 and newer). Undefined when there is no such slot. */
export async function readReplicationSlot(
  connection: ReplicationConnection,
  name: string,
  options: CommandOptions = {},
): Promise<ReplicationSlot | undefined> {
  const row = await oneRow(connection, `READ_REPLICATION_SLOT ${quoteIdentifier(name)}`, {
    ...options,
    action: `read the replication slot '${name}' of '${connection.location}'`,
  });
  const { slot_type: type, restart_lsn: lsn, restart_tli: timeline } = row;
  if (type === null || type === undefined) return undefined;
  return {
    type: type === "logical" ? "logical" : "physical",
    restartLsn: lsn == null ? undefined : parseLsn(lsn),
    restartTimeline: timeline == null ? undefined : Number(timeline),
  };
}

/** CREATE_REPLICATION_SLOT for physical streaming; with `reserveWal` the server keeps WAL from this moment on. */
export async function createPhysicalSlot(
  connection: ReplicationConnection,
  name: string,
  options: CommandOptions & { readonly reserveWal: boolean; readonly temporary?: boolean },
): Promise<void> {
  const kind = options.temporary === true ? " TEMPORARY" : "";
  const command = `CREATE_REPLICATION_SLOT ${quoteIdentifier(name)}${kind} PHYSICAL (RESERVE_WAL ${options.reserveWal})`;
  await connection.query(command, {
    action: `create the replication slot '${name}' on '${connection.location}'`,
    signal: options.signal,
  });
}

export async function dropReplicationSlot(
  connection: ReplicationConnection,
  name: string,
  options: CommandOptions = {},
): Promise<void> {
  await connection.query(`DROP_REPLICATION_SLOT ${quoteIdentifier(name)}`, {
    action: `drop the replication slot '${name}' on '${connection.location}'`,
    signal: options.signal,
  });
}

async function oneRow(
  connection: ReplicationConnection,
  command: string,
  options: CommandOptions & { readonly action: string },
): Promise<Record<string, string | null>> {
  const [result] = await connection.query(command, options);
  const row = result?.rows[0];
  if (result === undefined || row === undefined)
    throw new SoarError("SERVER_FAILED", `unable to ${options.action}: the server sent no row`);
  return namedRow(result, row);
}

export function namedRow({ columns }: ResultSet, row: readonly (string | null)[]): Record<string, string | null> {
  return Object.fromEntries(columns.map((name, index) => [name, row[index] ?? null]));
}

function text(row: Record<string, string | null>, column: string): string {
  const value = row[column];
  if (value === null || value === undefined)
    throw new SoarError("SERVER_FAILED", `unable to read the server's answer: no value in '${column}'`);
  return value;
}
