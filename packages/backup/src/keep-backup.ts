import { hasErrorCode } from "@soar/errors";
import { backupKey, BACKUP_OBJECTS, requireBackupRecord } from "@soar/repository";
import { putKeep } from "@soar/repository/markers";
import { storeTime } from "@soar/repository/time";
import type { ObjectStore } from "@soar/storage";

export interface KeepBackupOptions {
  readonly reason: string;
  readonly now: Date;
  readonly signal?: AbortSignal | undefined;
}

/** Pins a complete backup: expiry never removes it. Gives false when it was pinned already. Rejects with `BACKUP_MISSING`. */
export async function keepBackup(
  store: ObjectStore,
  label: string,
  { reason, now, signal }: KeepBackupOptions,
): Promise<boolean> {
  await requireBackupRecord(store, label, { signal });
  try {
    await putKeep(store, label, { format: 1, reason, keptAt: storeTime(store, now).toISOString() }, { signal });
    return true;
  } catch (error) {
    if (!hasErrorCode(error, "OBJECT_EXISTS")) throw error;
    return false;
  }
}

/** Takes the pin back: the next expiry decides. Gives false when there was none. Rejects with `BACKUP_MISSING`. */
export async function unkeepBackup(
  store: ObjectStore,
  label: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<boolean> {
  await requireBackupRecord(store, label, { signal });
  const key = backupKey(label, BACKUP_OBJECTS.keep);
  if ((await store.stat(key, { signal })) === undefined) return false;
  await store.remove([key], { signal });
  return true;
}
