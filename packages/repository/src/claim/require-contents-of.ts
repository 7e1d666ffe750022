import { hasErrorCode } from "@soar/errors";
import { parseWalFileName } from "@soar/pg-tools";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import { checkWalSegmentHeader } from "@soar/pg-tools/wal-records";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { listBackupDirectories } from "../records/backup-directories.ts";
import { BACKUP_OBJECTS, backupKey, WAL_PREFIX } from "../records/keys.ts";
import { requireSameCluster, type ClusterIdentity } from "../records/repository-record.ts";
import { getWalFile } from "../wal/get-wal.ts";
import { parseWalKey, type WalObject } from "../wal/wal-key.ts";

/**
 * Whether what lies in a repository without a record is of this cluster: each backup, and the first segment of WAL. Rejects with
 * `REPOSITORY_FOREIGN` for another's, and with `REPOSITORY_DAMAGED` or `WAL_INVALID` where none of what is there can be read.
 */
export async function requireContentsOf(
  store: ObjectStore,
  identity: ClusterIdentity,
  options: CallOptions,
): Promise<void> {
  let unreadable: Error | undefined;
  let isProved = false;
  for (const { label, record, damage } of await listBackupDirectories(store, options)) {
    unreadable ??= damage;
    if (record === undefined) continue;
    const { systemIdentifier, walSegmentSize, postgresVersion } = record;
    const theirs = { systemIdentifier, walSegmentSize, postgresMajor: majorOfVersionNumber(postgresVersion) };
    requireSameCluster(theirs, identity, `${store.location}/${backupKey(label, BACKUP_OBJECTS.record)}`);
    isProved = true;
  }
  let tries = 0;
  for await (const { key, size } of store.list(WAL_PREFIX, options)) {
    const object = parseWalKey(key, size);
    if (object === undefined || parseWalFileName(object.name).kind !== "segment") continue;
    try {
      requireSameCluster(await identityOf(store, object, options), identity, `${store.location}/${key}`);
      return;
    } catch (error) {
      // Another one tells as well.
      if (!hasErrorCode(error, "REPOSITORY_DAMAGED", "WAL_INVALID")) throw error;
      unreadable ??= error;
      tries += 1;
      if (tries === MOST_UNREADABLE) break;
    }
  }
  if (!isProved && unreadable !== undefined) throw unreadable;
}

/** A bucket has tens of thousands. */
const MOST_UNREADABLE = 3;
const HEADER_BYTES = 64;

/** What the header of a segment says of its cluster. */
async function identityOf(store: ObjectStore, object: WalObject, options: CallOptions): Promise<ClusterIdentity> {
  let head = Buffer.alloc(0);
  for await (const piece of getWalFile(store, object, options)) {
    head = Buffer.concat([head, piece.subarray(0, HEADER_BYTES)]);
    if (head.length >= HEADER_BYTES) break;
  }
  const { systemIdentifier, pgMajor, segmentSize } = checkWalSegmentHeader(head, { name: object.name });
  return { systemIdentifier: String(systemIdentifier), postgresMajor: pgMajor, walSegmentSize: segmentSize };
}
