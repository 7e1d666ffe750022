import { createHash } from "node:crypto";

/** Runs SQL in one database and returns the rows of its last statement. */
export type QueryRows = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;

export interface TableDigest {
  readonly rows: number;
  /** Over the text of every row, whatever the order in which the rows lie. */
  readonly digest: string;
}

export interface DatabaseDigest {
  /** By qualified name; every partition stands for itself. */
  readonly tables: Readonly<Record<string, TableDigest>>;
  readonly rows: number;
  /** One value for the whole database: equal digests mean equal names and rows. */
  readonly digest: string;
}

/** Ordinary tables, partitions and materialized views. Unlogged tables come back empty and sequences jump ahead after recovery, by design. */
const LIST_TABLES = `
SELECT format('%I.%I', n.nspname, c.relname) AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND c.relispopulated
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%'
ORDER BY 1`;

/** The text of a row depends on these. */
const FIXED_TEXT =
  "SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex';";

/**
 * Digest over all rows of all tables of one database, to prove that two databases, or one at two times, hold the same.
 * All tables are read in one statement, so in one snapshot. Two independent 64-bit sums make equality by accident impossible in practice.
 */
export async function databaseDigest(query: QueryRows): Promise<DatabaseDigest> {
  const names = (await query(LIST_TABLES)).map(({ name }) => String(name));
  const parts = names.map(
    (name) =>
      `SELECT '${name.replaceAll("'", "''")}' AS name, count(*) AS rows, coalesce(sum(hashtextextended(t::text, 1)), 0) AS a, coalesce(bit_xor(hashtextextended(t::text, 2)), 0) AS b FROM ${name} t`,
  );
  const rows = parts.length === 0 ? [] : await query(`${FIXED_TEXT} ${parts.join("\nUNION ALL ")}\nORDER BY 1`);
  const tables = Object.fromEntries(
    rows.map((row) => [
      String(row["name"]),
      { rows: Number(row["rows"]), digest: `${String(row["a"])}/${String(row["b"])}` },
    ]),
  );
  const total = Object.values(tables).reduce((sum, table) => sum + table.rows, 0);
  return { tables, rows: total, digest: createHash("sha256").update(JSON.stringify(tables)).digest("hex") };
}

/** Names of tables whose rows differ between two digests, or that only one of them has. */
export function differingTables(a: DatabaseDigest, b: DatabaseDigest): string[] {
  const names = new Set([...Object.keys(a.tables), ...Object.keys(b.tables)]);
  return [...names]
    .filter(
      (name) => a.tables[name]?.digest !== b.tables[name]?.digest || a.tables[name]?.rows !== b.tables[name]?.rows,
    )
    .sort();
}
