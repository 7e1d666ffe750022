import { lstatIfPresent } from "@soar/durable-files";
import { hasErrorCode } from "@soar/errors";
import type { Notes } from "./examination.ts";
import type { ArchiverAccess } from "./program-settings.ts";

const RESTART =
  "See what it does: systemctl status soar-wal-archive.service; journalctl -u soar-wal-archive.service -n 100. Then start it anew: systemctl restart soar-wal-archive.service.";

/** Whether somebody answers where every archive_command asks first. */
export async function examineArchiverSocket({ socketPath, askStatus }: ArchiverAccess, notes: Notes): Promise<void> {
  const found = await lstatIfPresent(socketPath).catch((error: unknown) => {
    if (!hasErrorCode(error, "FILE_UNREADABLE")) throw error;
    return "unseen" as const;
  });
  if (found === "unseen")
    return notes.notice(
      "archiver-unseen",
      `'${socketPath}' cannot be seen by this user: whether the resident archiver answers there is not known`,
      "Run the doctor as the server's user or as root.",
    );
  if (found === undefined)
    return notes.notice(
      "archiver-absent",
      `no resident archiver listens at '${socketPath}': WAL leaves this machine only in whole segments, one after the other`,
      "Start it: systemctl enable --now soar-wal-archive.service, or soar-wal-archive daemon. Where it has another directory, name it in BACKUP_SPOOL_DIR.",
    );
  if (!found.isSocket())
    return notes.warning(
      "archiver-deaf",
      `'${socketPath}' is no socket: no resident archiver can be asked there`,
      "Remove it, or name another place in BACKUP_ARCHIVER_SOCKET; then start the archiver anew: systemctl restart soar-wal-archive.service.",
    );
  if ((await askStatus(socketPath)) !== undefined)
    return notes.ok("archiver-answers", `the resident archiver answers at '${socketPath}'`);
  notes.warning(
    "archiver-deaf",
    `a socket lies at '${socketPath}', and nobody answers there: every archive_command asks in vain first, and no tail leaves this machine`,
    RESTART,
  );
}
