import { SoarError } from "@soar/errors";
import { quoteIdentifier, type SqlConnection } from "@soar/pg-tools/replication";
import type { TableName } from "./choose-relations.ts";
import { withoutEventTriggers } from "./event-triggers.ts";

export interface ResolvedTable extends TableName {
  readonly oid: number;
  /** Named by the operator, not found as a partition or child of such a one. */
  readonly named: boolean;
}

const FIND = `
SELECT c.oid::int8::float8 AS oid, n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND (n.nspname, c.relname) IN (SELECT * FROM unnest($1::text[], $2::text[]))`;

const WITH_CHILDREN = `
WITH RECURSIVE tree AS (SELECT unnest($1::oid[]) AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid)
SELECT c.oid::int8::float8 AS oid, n.nspname AS schema, c.relname AS name, c.oid = ANY ($1::oid[]) AS named
FROM tree JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY c.oid`;

/** Every file that a dump of these tables may read: theirs, of what belongs to them, and of the catalogs but large objects. */
const FILES = `
WITH RECURSIVE belonging(part, whole) AS MATERIALIZED (
  SELECT indexrelid, indrelid FROM pg_index
  UNION ALL SELECT reltoastrelid, oid FROM pg_class WHERE reltoastrelid <> 0
  UNION ALL SELECT objid, refobjid FROM pg_depend WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
), needed AS (
  SELECT oid FROM pg_class WHERE oid = ANY ($1::oid[]) OR (oid < 16384 AND oid NOT IN (2613, 2683))
  UNION SELECT belonging.part FROM belonging JOIN needed ON needed.oid = belonging.whole
)
SELECT pg_relation_filepath(oid) AS path FROM needed WHERE pg_relation_filepath(oid) IS NOT NULL AND oid NOT IN (2613, 2683)`;

/** Finds tables with all of their partitions and children. Rejects with `TARGET_UNREACHABLE` for one that there was not. */
export async function resolveTables(connection: SqlConnection, tables: readonly TableName[]): Promise<ResolvedTable[]> {
  const found = await connection.query<{ oid: number } & Record<"schema" | "name", string>>(FIND, [
    tables.map(({ schema }) => schema),
    tables.map(({ name }) => name),
  ]);
  const missing = tables.find(({ schema, name }) => !found.some((row) => row.schema === schema && row.name === name));
  if (missing !== undefined) {
    throw new SoarError(
      "TARGET_UNREACHABLE",
      `there was no table '${missing.schema}.${missing.name}' in the database at the target`,
      {
        hint: "Check the name, which is taken as it is written, and the instant: the table may have been created later, dropped before, or renamed.",
      },
    );
  }
  const rows = await connection.query<{ oid: number; named: boolean } & Record<"schema" | "name", string>>(
    WITH_CHILDREN,
    [found.map(({ oid }) => oid)],
  );
  return rows.map(({ oid, schema, name, named }) => ({ oid, schema, name, named }));
}

/** Files of these tables and of the catalogs that hold nothing, because they were not fetched: there may be none. */
export async function findHollowFiles(
  connection: SqlConnection,
  tables: readonly ResolvedTable[],
  placeholders: ReadonlySet<string>,
): Promise<string[]> {
  const rows = await connection.query<{ path: string }>(FILES, [tables.map(({ oid }) => oid)]);
  return rows.map(({ path }) => path).filter((path) => placeholders.has(path));
}

/** A new place for tables: another schema, and for a single one another name. */
export interface NewPlace {
  readonly schema: string;
  readonly name?: string | undefined;
}

/**
 * Moves the tables, in the scratch cluster, to where they are to be loaded: so definition, indexes, constraints and owned
 * sequences follow by PostgreSQL's own rules. Resolves to them under their new names.
 */
export async function moveTables(
  connection: SqlConnection,
  tables: readonly ResolvedTable[],
  place: NewPlace,
): Promise<ResolvedTable[]> {
  return await withoutEventTriggers(connection, () => moveEach(connection, tables, place));
}

async function moveEach(
  connection: SqlConnection,
  tables: readonly ResolvedTable[],
  place: NewPlace,
): Promise<ResolvedTable[]> {
  await connection.query(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(place.schema)}`);
  const moved: ResolvedTable[] = [];
  for (const table of tables) {
    const name = table.named ? (place.name ?? table.name) : table.name;
    if (table.schema !== place.schema)
      await connection.query(
        `ALTER TABLE ${quoteIdentifier(table.schema, table.name)} SET SCHEMA ${quoteIdentifier(place.schema)}`,
      );
    if (name !== table.name)
      await connection.query(
        `ALTER TABLE ${quoteIdentifier(place.schema, table.name)} RENAME TO ${quoteIdentifier(name)}`,
      );
    moved.push({ ...table, schema: place.schema, name });
  }
  return moved;
}
