import { hasErrorCode } from "@soar/errors";
import { listBackupDirectories, readStarted, removalOrder, removeBackup } from "@soar/repository";
import type { ObjectStore } from "@soar/storage";

export interface RemoveInterruptedOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onRemoved: (label: string) => void;
  /** The store's user may not remove objects, or Object Lock protects them. */
  readonly onLeft: (label: string, reason: string) => void;
}

/**
 * Removes what interrupted runs left: their objects, and their uploads in parts. The caller holds the cluster's backup
 * lock, so every unfinished directory belongs to a run that is dead. A key without the right to remove (promise 4) does
 * not keep the backup from being taken; the caller is told what stayed. Returns all labels that were ever used.
 */
export async function removeInterruptedRuns(store: ObjectStore, { signal, onRemoved, onLeft }: RemoveInterruptedOptions): Promise<ReadonlySet<string>> {
  const directories = await listBackupDirectories(store, { signal });
  const unfinished = directories.filter(({ record, damage, kept }) => record === undefined && damage === undefined && !kept);
  const started = await readStarted(store, unfinished, { signal });
  for (const directory of unfinished) {
    if (!started.has(directory.label)) continue;
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
