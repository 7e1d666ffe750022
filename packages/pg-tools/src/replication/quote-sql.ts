/** A name as SQL and the replication protocol want it; several are parts of one, as in `"schema"."table"`. */
export function quoteIdentifier(...parts: readonly string[]): string {
  return parts.map((part) => `"${part.replaceAll('"', '""')}"`).join(".");
}

/** Text as a constant, where `standard_conforming_strings` is on or the replication protocol reads it. */
export function quoteLiteral(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
