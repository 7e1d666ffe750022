import { SoarError } from "@soar/errors";
import { findMajor, majorOfVersionNumber, SUPPORTED_VERSIONS } from "@soar/pg-tools/majors";
import { holdsData, passedOver, type ServerFacts } from "@soar/pg-tools/replication";
import type { StoredArchives } from "./store/store-archives.ts";

/** Before anything is claimed. Throws `SERVER_VERSION` or `SERVER_UNSUITABLE`. */
export function requireSuitable(facts: ServerFacts): void {
  if (findMajor(majorOfVersionNumber(facts.versionNumber)) === undefined) {
    throw new SoarError(
      "SERVER_VERSION",
      `unable to back up PostgreSQL ${facts.version}: versions ${SUPPORTED_VERSIONS} are supported`,
      { hint: "Use a version of the tools that knows this server." },
    );
  }
  // A standby's own setting means nothing: what counts is the primary's, which BASE_BACKUP reads from WAL.
  if (!facts.inRecovery && !facts.fullPageWrites) {
    throw new SoarError(
      "SERVER_UNSUITABLE",
      "unable to back up this server: full_page_writes is off, so pages that are written meanwhile cannot be repaired by replay",
      {
        hint: "ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf();",
      },
    );
  }
}

/** Without an error the server passes over links where the data lies, for example of a database that somebody has moved to another disk by hand. */
export function requireData({ warnings }: StoredArchives): void {
  const missing = passedOver(warnings).filter(holdsData);
  if (missing.length === 0) return;
  throw new SoarError(
    "BACKUP_INCOMPLETE",
    `the server left out what lies under '${missing.join("', '")}': it is no ordinary file or directory`,
    { hint: "Move the data back into the data directory, and use a tablespace (CREATE TABLESPACE) for another disk." },
  );
}

/** Throws `BACKUP_INCOMPLETE` for a backup that began on another timeline than it ended. */
export function requireOneTimeline({ startTimeline, timeline }: StoredArchives): void {
  if (startTimeline === timeline) return;
  throw new SoarError(
    "BACKUP_INCOMPLETE",
    `the server changed from timeline ${startTimeline} to ${timeline} during the backup`,
    { hint: "Take the backup again." },
  );
}
