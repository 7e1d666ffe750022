import type { BackupRecord } from "@soar/repository";

/** What may lead into a server that was restored, the likeliest first; see `findSuperuser`. */
export interface Entrances {
  readonly roles: readonly (string | undefined)[];
  readonly databases: readonly string[];
}

/**
 * By what the record tells of the source: its superuser may have got another name since the backup, and a record of a
 * version before tells none.
 *
 * @param role one that the source is known to have
 */
export function entrancesOf(
  { source, databases }: Pick<BackupRecord, "source" | "databases">,
  role: string,
): Entrances {
  return {
    roles: [source.superuser, role, "postgres"],
    databases: ["postgres", "template1", ...databases.map(({ name }) => name)],
  };
}
