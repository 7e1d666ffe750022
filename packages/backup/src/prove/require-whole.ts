import { SoarError } from "@soar/errors";
import { backupKey, BACKUP_OBJECTS, backupPrefix, requireDigest } from "@soar/repository";
import { findStarted } from "@soar/repository/markers";
import { readObject, type ObjectStore } from "@soar/storage";
import { isClaimOf, type ClaimedLabel } from "../claim/claim-label.ts";
import type { BackupObject } from "../store/store-object.ts";

export interface RequireWholeOptions {
  readonly claimed: ClaimedLabel;
  readonly host: string;
  /** Everything that the record will name. */
  readonly objects: readonly BackupObject[];
  readonly signal?: AbortSignal | undefined;
}

/** Objects up to this size are read again and their digest compared; of larger ones members were read back already. */
const LARGEST_READ_AGAIN = 64 * 1024 * 1024;

/**
 * The last look before `backup.json`: the label is still this run's, and every object is there with its size, the small
 * ones with their digest. A run that others took for dead, and cleaned up behind, must not become a backup.
 * Rejects with `REPOSITORY_DAMAGED`, or `BACKUP_RUNNING` when the label belongs to somebody else.
 */
export async function requireWhole(
  store: ObjectStore,
  { claimed, host, objects, signal }: RequireWholeOptions,
): Promise<void> {
  const { label } = claimed;
  const sizes = new Map<string, number>();
  for await (const { key, size } of store.list(backupPrefix(label), { signal })) sizes.set(key, size);
  for (const { name, size, sha256 } of objects) {
    const key = backupKey(label, name);
    const found = sizes.get(key);
    if (found !== size) {
      throw new SoarError(
        "REPOSITORY_DAMAGED",
        `unable to complete the backup: '${store.location}/${key}' ${found === undefined ? "is gone" : `has ${found} bytes`}, ${size} were stored`,
        {
          hint: "Something else removes or changes objects below base/: look for another program or a lifecycle rule, then take the backup again.",
        },
      );
    }
    const isArchive =
      name !== BACKUP_OBJECTS.index && /\.(?:tar|members)(?:\.|$)/.test(name) && name !== BACKUP_OBJECTS.serverConfig;
    if (!isArchive && size <= LARGEST_READ_AGAIN)
      requireDigest(
        await readObject(store, key, { signal, maxBytes: size }),
        { size, sha256 },
        `${store.location}/${key}`,
      );
  }
  const started = await findStarted(store, label, { signal });
  if (isClaimOf(started, claimed, host)) return;
  throw new SoarError(
    "BACKUP_RUNNING",
    `unable to complete the backup: its claim 'base/${label}/${BACKUP_OBJECTS.started}' is ${started === undefined ? "gone" : "another run's"}`,
    {
      hint: "Another run took this one for dead and cleaned up. Take the backup again, one at a time.",
    },
  );
}
