import { readdir } from "node:fs/promises";
import { connectionEnvironment, inEncoding, type ProgramText, type ScratchCluster } from "@soar/restore/rescue";
import { connectSql, type ConnectionConfig, type SqlConnection } from "@soar/pg-tools/replication";
import { isUnicode } from "@soar/pg-tools/server-text";
import type { DrillCheck } from "../report/drill-report.ts";

/** The restored server, and what the checks need beside it. */
export interface DrillServer {
  readonly scratch: ScratchCluster;
  /** Databases that can be connected to and hold what was restored. */
  readonly databases: readonly string[];
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/** What a check came to; its time is measured around it. */
export type CheckResult = Omit<DrillCheck, "kind" | "durationMs" | "name"> & { readonly name?: string };

/**
 * Every database; when one was restored, the others are hollow. What the source lets nobody into is opened: the server is ours. Not
 * template0, which holds what initdb made, nor what an interrupted DROP DATABASE has left (a limit of -2).
 */
export async function databasesOf({ server }: ScratchCluster, only: string | undefined): Promise<string[]> {
  if (only !== undefined) return [only];
  await using connection = await connectSql(server, { writes: true });
  await connection.query(
    "UPDATE pg_database SET datallowconn = true WHERE NOT datallowconn AND datname <> 'template0' AND datconnlimit <> -2",
  );
  const rows = await connection.query<{ name: string }>(
    "SELECT datname AS name FROM pg_database WHERE datallowconn AND datconnlimit <> -2 ORDER BY oid",
  );
  return rows.map(({ name }) => name);
}

/**
 * Runs a program in the database of a session of ours, in the scratch cluster: under its name, or, where that is no UTF-8 and so
 * fits in no argument, under another one that it has meanwhile.
 */
export async function withProgramName<T>(connection: SqlConnection, run: (name: string) => Promise<T>): Promise<T> {
  const { database } = connection;
  if (isUnicode(database)) return await run(database);
  const [row] = await connection.query<{ name: string }>(
    "UPDATE pg_database SET datname = 'soar_drill_' || oid WHERE datname = $1 RETURNING datname AS name",
    [database],
  );
  const name = row?.name ?? "";
  try {
    return await run(name);
  } finally {
    await connection.query("UPDATE pg_database SET datname = $1 WHERE datname = $2", [database, name]);
  }
}

/** For programs of PostgreSQL that look at one database, and speak what it is written in. Nothing may be written unless the drill's own work wants it. */
export async function environmentFor(
  server: ConnectionConfig,
  options: {
    readonly database?: string;
    readonly certificateFile?: string | undefined;
    readonly writes?: boolean;
    readonly text?: ProgramText;
  } = {},
): Promise<Record<string, string>> {
  const entered = { ...server, database: options.database ?? server.database };
  const spoken = await inEncoding(entered, options.text ?? "database");
  const environment = await connectionEnvironment(
    { ...spoken, applicationName: "soar-backup-verify drill" },
    options.certificateFile,
  );
  const readOnly = `-c default_transaction_read_only=${options.writes === true ? "off" : "on"}`;
  return { ...environment, PGTZ: "UTC", PGDATESTYLE: "ISO", PGOPTIONS: [environment["PGOPTIONS"], readOnly].join(" ") };
}

export async function hasProgram(binDir: string, name: string): Promise<boolean> {
  return (await readdir(binDir)).includes(name);
}
