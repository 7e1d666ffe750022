import { hasErrorCode, SoarError } from "@soar/errors";
import { listBackupDirectories, referrersOf, type BackupDirectory } from "@soar/repository";
import { readStarted, removalOrder, removeBackup } from "@soar/repository/expiry";
import type { StartedRecord } from "@soar/repository/markers";
import type { ObjectStore } from "@soar/storage";

export interface RemoveInterruptedOptions {
  readonly signal?: AbortSignal | undefined;
  readonly isDead: (started: StartedRecord) => Promise<boolean>;
  readonly onRemoved: (label: string) => void;
  /** The store's user may not remove objects, Object Lock protects them, or a backup refers, or may refer, to them. */
  readonly onLeft: (label: string, reason: string) => void;
}

/**
 * Removes what interrupted runs left: their objects, and their uploads in parts. A key without the right to remove
 * (safety, promise 4) does not keep the backup from being taken; the caller is told what stayed. Returns all labels
 * that were ever used. Rejects with `BACKUP_RUNNING` when another run may be alive.
 */
export async function removeInterruptedRuns(
  store: ObjectStore,
  { signal, isDead, onRemoved, onLeft }: RemoveInterruptedOptions,
): Promise<ReadonlySet<string>> {
  const directories = await listBackupDirectories(store, { signal });
  const unfinished = directories.filter(
    ({ record, damage, kept }) => record === undefined && damage === undefined && !kept,
  );
  const started = await readStarted(store, unfinished, { signal });
  for (const directory of unfinished) {
    const claim = started.get(directory.label);
    if (claim === undefined) continue;
    if (!(await isDead(claim))) throw alive(claim);
    const needed = whyNeeded(directories, directory.label);
    if (needed !== undefined) {
      onLeft(directory.label, needed);
      continue;
    }
    try {
      await removeBackup(store, { label: directory.label, objects: removalOrder(directory) }, { signal });
      onRemoved(directory.label);
    } catch (error) {
      if (!hasErrorCode(error, "STORE_DENIED") && !hasErrorCode(error, "OBJECT_LOCKED")) throw error;
      onLeft(directory.label, error.message);
    }
  }
  return new Set(directories.map(({ label }) => label));
}

/** A backup whose record was lost looks like an interrupted one. */
function whyNeeded(directories: readonly BackupDirectory[], label: string): string | undefined {
  const damaged = directories.find(({ damage }) => damage !== undefined);
  const [referrer] = referrersOf(directories, label);
  if (referrer !== undefined) return `backup ${referrer} refers to it`;
  return damaged === undefined ? undefined : `backup ${damaged.label}, whose record is damaged, may refer to it`;
}

function alive({ label, host, startedAt, deadline }: StartedRecord): SoarError {
  return new SoarError(
    "BACKUP_RUNNING",
    `unable to begin: backup '${label}' was begun ${startedAt} on ${host} and may still be running`,
    {
      hint: `Wait for it. If it is dead, begin a backup on ${host}, which can tell, or wait until its claim lapses at ${deadline}.`,
    },
  );
}
