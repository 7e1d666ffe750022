/** What is the server's own in a data directory: links there belong to tablespaces and WAL, which have ways of their own. */
const SERVERS_OWN = /^(?:pg_|base$|global$|soar-restore$)/;

/** Whether a link of this path in a data directory is the administrator's, of a certificate for example: no backup has it. */
export function isOutsideLink(path: string): boolean {
  return !SERVERS_OWN.test(path.split("/")[0] ?? "");
}
