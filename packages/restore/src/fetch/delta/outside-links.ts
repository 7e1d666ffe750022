/**
 * What is the server's own in a data directory, or ours: links there belong to tablespaces and WAL, which have ways of their own, or
 * nobody has made them to be there again, such as one that would tell the restored server to be a standby, or that it runs already.
 */
const SERVERS_OWN =
  /^(?:pg_(?!\w*\.conf$)|PG_VERSION$|base$|global$|postmaster\.|backup_(?:label|manifest)|tablespace_map|(?:recovery|standby)\.signal$|(?:fallback_)?promote$|current_logfiles|postgresql\.auto\.conf|soar-)/;

/** Whether a link of this path in a data directory is the administrator's, of a certificate for example: no backup has it. */
export function isOutsideLink(path: string): boolean {
  return !SERVERS_OWN.test(path.split("/")[0] ?? "");
}
