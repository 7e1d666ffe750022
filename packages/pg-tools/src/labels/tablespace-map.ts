import { SoarError } from "@soar/errors";
import { decodeServerText, encodeServerText } from "../server-text/server-text.ts";

/** Where a tablespace lay when the backup was taken: the target of the link `pg_tblspc/<oid>`. */
export interface TablespaceLocation {
  readonly oid: number;
  readonly location: string;
}

/**
 * Reads `tablespace_map` (`read_tablespace_map` in xlogrecovery.c): an OID, a space, a path in which a backslash makes
 * the next character an ordinary one, even a line end. What is no UTF-8 becomes text as all words of a server do. Throws
 * FORMAT_INVALID.
 */
export function parseTablespaceMap(file: Uint8Array): readonly TablespaceLocation[] {
  const entries: TablespaceLocation[] = [];
  let rest = decodeServerText(file);
  while (rest !== "") {
    const [line, oid, escaped] = /^([1-9]\d{0,9}) ((?:[^\\\n\r]|\\[^])+)[\n\r]+/.exec(rest) ?? [];
    if (line === undefined || oid === undefined || escaped === undefined) {
      throw new SoarError(
        "FORMAT_INVALID",
        `unable to read the tablespace_map: '${rest.slice(0, 80)}' is not an OID and a path`,
        {
          hint: "The file belongs to its backup byte for byte; take it from there again.",
        },
      );
    }
    entries.push({ oid: Number(oid), location: escaped.replace(/\\([^])/g, "$1") });
    rest = rest.slice(line.length);
  }
  return entries;
}

/** What PostgreSQL writes for these tablespaces (`do_pg_backup_start`); empty for none, in which case there is no file. */
export function formatTablespaceMap(entries: readonly TablespaceLocation[]): Buffer {
  return encodeServerText(
    entries.map(({ oid, location }) => `${oid} ${location.replace(/[\\\n\r]/g, "\\$&")}\n`).join(""),
  );
}
