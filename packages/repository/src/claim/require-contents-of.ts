import { hasErrorCode, SoarError } from "@soar/errors";
import { parseWalFileName } from "@soar/pg-tools";
import { majorOfVersionNumber } from "@soar/pg-tools/majors";
import { checkWalSegmentHeader } from "@soar/pg-tools/wal-records";
import type { CallOptions, ObjectStore } from "@soar/storage";
import { listBackupDirectories } from "../records/backup-directories.ts";
import { BACKUP_OBJECTS, backupKey, CONFIG_KEY, WAL_PREFIX } from "../records/keys.ts";
import { requireSameCluster, type ClusterIdentity } from "../records/repository-record.ts";
import { getWalFile } from "../wal/get-wal.ts";
import { parseWalKey, type WalObject } from "../wal/wal-key.ts";

/**
 * Whether what lies in a repository without a record is of this cluster: each backup, and the first segment of WAL that tells. Rejects
 * with `REPOSITORY_FOREIGN` for another's that is proved to be that, and with `REPOSITORY_DAMAGED` where none of what is there can be believed.
 */
export async function requireContentsOf(
  store: ObjectStore,
  identity: ClusterIdentity,
  options: CallOptions,
): Promise<void> {
  const backups = await requireBackupsOf(store, identity, options);
  const wal = await requireWalOf(store, identity, options);
  const unreadable = backups.unreadable ?? wal.unreadable;
  if (backups.isProved || wal.isProved || unreadable === undefined) return;
  throw new SoarError(
    "REPOSITORY_DAMAGED",
    `unable to tell whose repository '${store.location}' is: its record '${CONFIG_KEY}' is lost, and nothing that was read of what it holds can be believed: ${unreadable.message}`,
    {
      hint: `Restore '${CONFIG_KEY}' from an older version of the bucket or from a copy, or name another prefix for this cluster. Nothing was written.`,
      cause: unreadable,
    },
  );
}

interface Looked {
  /** Whether something was read that is this cluster's. */
  readonly isProved: boolean;
  readonly unreadable: Error | undefined;
}

async function requireBackupsOf(store: ObjectStore, identity: ClusterIdentity, options: CallOptions): Promise<Looked> {
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
  return { isProved, unreadable };
}

/**
 * A bucket has tens of thousands of segments, of which the first that is this cluster's tells. Behind those that cannot be read, or that
 * one flipped bit may have made another's, others are tried at distances that double, and the last: twenty or so, however many are damaged
 * side by side.
 */
async function requireWalOf(store: ObjectStore, identity: ClusterIdentity, options: CallOptions): Promise<Looked> {
  let unreadable: Error | undefined;
  let untried: WalObject | undefined;
  let count = 0;
  const suspects = new Set<string>();
  const isOwn = async (object: WalObject): Promise<boolean> => {
    const damage = await findDamage(store, { identity, object, suspects }, options);
    unreadable ??= damage;
    return damage === undefined;
  };
  for await (const { key, size } of store.list(WAL_PREFIX, options)) {
    const object = parseWalKey(key, size);
    if (object === undefined || parseWalFileName(object.name).kind !== "segment") continue;
    count += 1;
    untried = (count & (count - 1)) === 0 ? undefined : object;
    if (untried === undefined && (await isOwn(object))) return { isProved: true, unreadable };
  }
  return { isProved: untried !== undefined && (await isOwn(untried)), unreadable };
}

interface Candidate {
  readonly identity: ClusterIdentity;
  readonly object: WalObject;
  /** The clusters of bare segments that are not this one's: nothing proves their bytes but a second that says the same. */
  readonly suspects: Set<string>;
}

/** Why a segment cannot be read, or believed; undefined for one that is this cluster's. Rejects for another's, with `REPOSITORY_FOREIGN`. */
async function findDamage(
  store: ObjectStore,
  { identity, object, suspects }: Candidate,
  options: CallOptions,
): Promise<Error | undefined> {
  try {
    const theirs = await identityOf(store, object, options);
    try {
      requireSameCluster(theirs, identity, `${store.location}/${object.key}`);
    } catch (foreign) {
      if (await isBelievable(store, { theirs, object, suspects }, options)) throw foreign;
      return foreign as Error;
    }
    return undefined;
  } catch (error) {
    // Another one tells as well. One that was removed since it was listed tells nothing.
    if (hasErrorCode(error, "REPOSITORY_DAMAGED", "WAL_INVALID", "OBJECT_MISSING")) return error;
    throw error;
  }
}

/** Rejects with `REPOSITORY_DAMAGED` where the digest of a compressed one says otherwise. */
async function isBelievable(
  store: ObjectStore,
  { theirs, object, suspects }: Omit<Candidate, "identity"> & { readonly theirs: ClusterIdentity },
  options: CallOptions,
): Promise<boolean> {
  if (object.codec === "none") {
    const { systemIdentifier, walSegmentSize, postgresMajor } = theirs;
    const said = [systemIdentifier, walSegmentSize, postgresMajor].join(" ");
    const isSaidAgain = suspects.has(said);
    suspects.add(said);
    return isSaidAgain;
  }
  // At its end the digest is compared.
  for await (const _piece of getWalFile(store, object, options));
  return true;
}

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
