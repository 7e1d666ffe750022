import { SoarError } from "@soar/errors";
import { readObject, type CallOptions, type ObjectStore } from "@soar/storage";
import * as v from "valibot";
import { isBackupLabel } from "./backup-label.ts";
import { requireDigest } from "./digest.ts";
import {
  byteCount,
  findRecord,
  FORMAT_VERSION,
  formatRecord,
  instantText,
  LARGEST_RECORD,
  listOf,
  lsnText,
  sha256Text,
  systemIdentifierText,
  timelineNumber,
} from "./json-record.ts";
import { BACKUP_OBJECTS, backupKey } from "./keys.ts";

const oid = v.pipe(v.number(), v.integer(), v.minValue(1));
const label = v.pipe(v.string(), v.check(isBackupLabel, "not a backup label"));
const walName = v.pipe(v.string(), v.regex(/^[0-9A-F]{24}$/));

/** Bytes of a record, and entries of each list, at the most. More than any cluster has of them: each takes some hundred bytes of a record, which has a largest size, too. */
export const RECORD_LIMITS = {
  bytes: LARGEST_RECORD,
  settings: 2000,
  tablespaces: 10_000,
  databases: 50_000,
  others: 100_000,
};

const schema = v.object({
  format: v.literal(FORMAT_VERSION),
  label,
  kind: v.picklist(["full", "incremental"]),
  /** Labels whose objects this backup's seek table refers to; empty for a full backup. */
  references: listOf(label, RECORD_LIMITS.tablespaces),

  systemIdentifier: systemIdentifierText,
  /** `server_version_num`, for example 150018. */
  postgresVersion: v.pipe(v.number(), v.integer()),
  walSegmentSize: byteCount,
  timeline: timelineNumber,
  /** Recovery starts here: the redo position of the backup's checkpoint. */
  startLsn: lsnText,
  /** Recovery is consistent from here on; no target may lie before it. */
  stopLsn: lsnText,
  checkpointLsn: lsnText,
  /** First and last WAL segment without which the backup is not consistent. */
  firstSegment: walName,
  lastSegment: walName,
  startedAt: instantText,
  stoppedAt: instantText,
  /** From the first request to the record, in milliseconds. */
  durationMs: byteCount,

  sizes: v.object({
    /** Plain bytes of all files of the cluster. */
    database: byteCount,
    /** Plain bytes of all tar streams. */
    tar: byteCount,
    /** Compressed bytes that a restore of this backup fetches. */
    stored: byteCount,
    /** Compressed bytes that this backup added to the bucket. */
    new: byteCount,
    /** Plain bytes of files that an incremental took from earlier backups without reading them; undefined where it read all. */
    unread: v.optional(byteCount),
  }),
  codec: v.picklist(["gzip", "zstd", "none"]),
  /** Bytes of file data per member of a large file. */
  chunkSize: byteCount,
  /** Reserved: undefined means that nothing is encrypted. */
  encryption: v.optional(v.object({ scheme: v.string(), recipients: listOf(v.string(), RECORD_LIMITS.settings) })),

  source: v.object({
    method: v.picklist(["files", "replication", "pg_basebackup"]),
    fromStandby: v.boolean(),
    host: v.string(),
    /** Which machine that is, as it publishes its id (machine-id(5)); undefined in records of versions before, and where it was not proved. */
    machine: v.optional(v.string()),
    dataDirectory: v.string(),
    /** A superuser that may log in; undefined in records of versions before, and where there was none. */
    superuser: v.optional(v.string()),
  }),
  dataChecksums: v.boolean(),
  /** Settings that a server must at least have to replay this cluster's WAL, and what later checks need. */
  settings: v.pipe(
    v.record(v.string(), v.string()),
    v.maxEntries(RECORD_LIMITS.settings, `more than ${RECORD_LIMITS.settings} entries`),
  ),
  /** Encoding and locales are undefined in records of versions before. */
  databases: listOf(
    v.object({
      oid,
      name: v.string(),
      encoding: v.optional(v.string()),
      collate: v.optional(v.string()),
      ctype: v.optional(v.string()),
    }),
    RECORD_LIMITS.databases,
  ),
  tablespaces: listOf(v.object({ oid, location: v.string() }), RECORD_LIMITS.tablespaces),
  /** Logical subscriptions that were enabled; undefined in records of versions before. */
  subscriptions: v.optional(listOf(v.object({ database: v.string(), name: v.string() }), RECORD_LIMITS.others)),

  /** The tar streams: the data directory's has oid undefined, each extra tablespace's its OID. */
  archives: listOf(
    v.object({
      name: v.string(),
      oid: v.optional(oid),
      object: v.string(),
      /** Objects that it goes on in, where it is too large for one; `stored` is that of all. */
      further: v.optional(listOf(v.string(), RECORD_LIMITS.others)),
      tar: byteCount,
      stored: byteCount,
    }),
    RECORD_LIMITS.tablespaces,
  ),
  /** Every object of this backup but this record, by its name below `base/<label>/`. */
  objects: listOf(v.object({ name: v.string(), size: byteCount, sha256: sha256Text }), RECORD_LIMITS.others),
  /** Members of the compressed seek table, in order: stored length, plain length, SHA-256 of the plain bytes. */
  index: v.object({ members: listOf(v.tuple([byteCount, byteCount, sha256Text]), RECORD_LIMITS.others) }),
  /** The backup history file that the server archived, where it was in the bucket when the backup was completed. */
  backupHistory: v.optional(v.object({ name: v.string(), sha256: sha256Text })),
  /** Pages whose checksum was wrong at the source. The backup is as good as the source was. */
  damagedPages: listOf(v.object({ path: v.string(), detail: v.string() }), RECORD_LIMITS.others),
  /** What the server warned of beside them, in its language, and what its configuration names that could not be kept; undefined in records of versions before. */
  warnings: v.optional(listOf(v.string(), RECORD_LIMITS.others)),
  /** Links and sockets in the data directory, which the server does not store, by their paths there; undefined like the warnings. */
  leftOut: v.optional(listOf(v.string(), RECORD_LIMITS.others)),
  /** Where the clocks of the machine, the server and the store contradicted each other, or one was set meanwhile; undefined where they agreed. */
  clockDoubts: v.optional(listOf(v.string(), RECORD_LIMITS.others)),
  /** How many more of each there were than the record has room for; undefined where it has all. */
  omitted: v.optional(
    v.object({
      damagedPages: v.optional(byteCount),
      warnings: v.optional(byteCount),
      leftOut: v.optional(byteCount),
      clockDoubts: v.optional(byteCount),
    }),
  ),
  /** What named and dated the backup where the machine's clock was not believed, as the end of a sentence; else undefined. */
  datedBy: v.optional(v.string()),
  createdBy: v.string(),
});

/** `base/<label>/backup.json`. Written last: the backup exists from this moment on. */
export type BackupRecord = v.InferOutput<typeof schema>;

/** Names of the objects that hold the archives of a backup, below its label. */
export function archiveObjects({ archives }: Pick<BackupRecord, "archives">): string[] {
  return archives.flatMap(({ object, further = [] }) => [object, ...further]);
}

/** The record of one backup, or undefined when there is no *complete* backup of this label. */
export async function findBackupRecord(
  store: ObjectStore,
  backup: string,
  options: CallOptions = {},
): Promise<BackupRecord | undefined> {
  const record = await findRecord(store, backupKey(backup, BACKUP_OBJECTS.record), schema, options);
  if (record !== undefined && record.label !== backup) {
    throw new SoarError(
      "REPOSITORY_DAMAGED",
      `unable to use 'base/${backup}/backup.json': it describes '${record.label}'`,
      {
        hint: "Objects were moved inside the bucket. Put them back under their own label.",
      },
    );
  }
  return record;
}

/** Rejects with `BACKUP_MISSING` when there is no complete backup of this label. */
export async function requireBackupRecord(
  store: ObjectStore,
  backup: string,
  options: CallOptions = {},
): Promise<BackupRecord> {
  const record = await findBackupRecord(store, backup, options);
  if (record !== undefined) return record;
  throw new SoarError("BACKUP_MISSING", `there is no complete backup '${backup}' in '${store.location}'`, {
    hint: "soar-base-backup list shows the backups that exist; one without backup.json was interrupted and cannot be used.",
  });
}

/**
 * Writes `backup.json`: the backup exists from this moment on. Everything else of it must be in the bucket already. Rejects with
 * `RECORD_TOO_LARGE` for what no reader would read, and stores nothing then.
 */
export async function putBackupRecord(
  store: ObjectStore,
  record: BackupRecord,
  options: CallOptions = {},
): Promise<void> {
  await store.put(backupKey(record.label, BACKUP_OBJECTS.record), formatRecord(record, schema), {
    ifAbsent: true,
    signal: options.signal,
  });
}

/**
 * Bytes that a backup's small objects have at most, packed and unpacked: what a damaged or foreign record claims must not
 * fill the memory of whoever restores. Configuration of servers, the largest of them, has some 100 KiB.
 */
export const SMALL_OBJECT_LIMIT_BYTES = 64 * 1024 * 1024;

/**
 * Reads a small object of a backup whole and compares size and SHA-256 with the record. Rejects with `REPOSITORY_DAMAGED`
 * for another one, and unread for one above `SMALL_OBJECT_LIMIT_BYTES`.
 */
export async function readBackupObject(
  store: ObjectStore,
  record: BackupRecord,
  name: string,
  options: CallOptions = {},
): Promise<Buffer> {
  const expected = record.objects.find((object) => object.name === name);
  const key = backupKey(record.label, name);
  if (expected === undefined) throw new SoarError("OBJECT_MISSING", `backup '${record.label}' has no object '${name}'`);
  if (expected.size > SMALL_OBJECT_LIMIT_BYTES)
    throw new SoarError(
      "REPOSITORY_DAMAGED",
      `unable to read '${store.location}/${key}': its record claims ${expected.size} bytes, and none has more than ${SMALL_OBJECT_LIMIT_BYTES}`,
      { hint: "No version of these tools wrote this. Use another backup." },
    );
  const bytes = await readObject(store, key, { ...options, maxBytes: expected.size });
  requireDigest(bytes, expected, `${store.location}/${key}`);
  return bytes;
}
