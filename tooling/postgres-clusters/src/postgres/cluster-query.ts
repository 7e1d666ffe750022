import { Client } from "pg";

export interface TestConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password?: string;
  readonly database: string;
}

export type Row = Readonly<Record<string, unknown>>;

/** Runs SQL on a connection of its own and returns the rows of the last statement. */
export async function queryOnce<T extends Row = Row>(
  connection: TestConnection,
  sql: string,
  params?: readonly unknown[],
): Promise<T[]> {
  const client = new Client({
    ...connection,
    // pg would take what is not given here from the caller's PG* variables.
    password: connection.password ?? "",
    ssl: false,
    options: "-c timezone=UTC",
    application_name: "soar-test",
  });
  // A server that is killed under an idle connection reports it here; the query itself rejects anyway.
  let lost: Error | undefined;
  client.on("error", (error) => (lost = error));
  await client.connect();
  try {
    const result: unknown = await client.query(sql, params === undefined ? undefined : [...params]);
    const last: unknown = Array.isArray(result) ? result.at(-1) : result;
    return (last as { rows: T[] }).rows;
  } finally {
    if (lost === undefined) await client.end();
  }
}
