import { hasErrorCode } from "@soar/errors";
import {
  listBackupDirectories,
  findRepositoryRecord,
  UPLOAD_PREFIXES,
  type BackupDirectory,
  type ClusterIdentity,
  type RepositoryRecord,
} from "@soar/repository";
import { ageAt } from "@soar/repository/time";
import { planExpiry, readExpiryState, type RetentionPolicy } from "@soar/repository/expiry";
import { readRecoveryWindow } from "@soar/repository/window";
import type { CallOptions, ObjectStore, StoreConfig, UnfinishedUpload } from "@soar/storage";
import type { Notes } from "./examination.ts";
import type { StorageProbe } from "./examine-storage.ts";
import { examineChanges } from "./examine-changes.ts";

export interface RepositoryExpectations {
  /** What the running server is; undefined while it cannot be asked. */
  readonly cluster: ClusterIdentity | undefined;
  readonly policy: RetentionPolicy;
  readonly probe: StorageProbe | undefined;
  /** What the configuration says of the provider. */
  readonly store: Pick<StoreConfig, "habits">;
  readonly now: Date;
  readonly signal: AbortSignal | undefined;
}

const DAY_MS = 86_400_000;
/** The specification's alert rules for the last base backup. */
const OLD_DAYS = { warning: 8, error: 10 };
/** Longer than any upload of a running backup is without a sign of life. */
const STALE_UPLOAD_MS = DAY_MS;

/** Whether the bucket is this cluster's, has a backup that is young enough, no hole, and nothing that should be gone. */
export async function examineRepository(
  store: ObjectStore,
  expected: RepositoryExpectations,
  notes: Notes,
): Promise<void> {
  const { signal } = expected;
  const record = await findRepositoryRecord(store, { signal });
  if (record === undefined)
    return notes.warning(
      "no-repository",
      `nothing was ever archived to ${store.location}`,
      "Let the server archive a segment (SELECT pg_switch_wal()), then take the first base backup: soar-base-backup.",
    );
  examineIdentity(store, record, expected, notes);
  const backups = await listBackupDirectories(store, { signal });
  examineBackups(backups, expected.now, notes);
  await examineWindow(store, record, { notes, signal });
  await examineLeftovers(store, expected, notes);
}

function examineIdentity(
  store: ObjectStore,
  record: RepositoryRecord,
  { cluster, probe, store: { habits: configured } }: RepositoryExpectations,
  notes: Notes,
): void {
  if (probe !== undefined && record.conditionalPutBy === store.features.server)
    examineChanges(record, { probed: probe.habits, configured }, notes);
  if (cluster === undefined) return;
  if (cluster.systemIdentifier === record.systemIdentifier && cluster.walSegmentSize === record.walSegmentSize)
    return notes.ok(
      "repository-own",
      `${store.location} belongs to this cluster (system identifier ${record.systemIdentifier})`,
    );
  notes.error(
    "repository-foreign",
    `${store.location} belongs to another cluster: its system identifier is ${record.systemIdentifier}, this server's is ${cluster.systemIdentifier}`,
    "Give every cluster a bucket or prefix of its own in BACKUP_BUCKET; after pg_upgrade or initdb, too. The old one stays restorable.",
  );
}

function examineBackups(backups: readonly BackupDirectory[], now: Date, notes: Notes): void {
  const ends = backups.flatMap(({ endedAt }) => endedAt ?? []);
  const how =
    "Look why it does not run: systemctl list-timers soar-backup-base.timer; journalctl -u soar-backup-base.service -n 100. Take one now: soar-base-backup.";
  if (ends.length === 0)
    return notes.error("no-backup", "there is no base backup: nothing can be restored", "Take one: soar-base-backup.");
  const ageDays = Math.min(...ends.map((end) => ageAt(now, end))) / DAY_MS;
  const fact = `the newest base backup is ${ageDays.toFixed(1)} days old`;
  if (ageDays < 0)
    notes.error(
      "clock-wrong",
      `the newest base backup ended ${(-ageDays).toFixed(1)} days in the future of this machine's clock (${now.toISOString()})`,
      "Compare the clocks of this machine and of the one that takes the backups with another: timedatectl, or date -u. Nothing expires as long as they contradict each other.",
    );
  else if (ageDays > OLD_DAYS.error) notes.error("backup-old", fact, how);
  else if (ageDays > OLD_DAYS.warning) notes.warning("backup-old", fact, how);
  else notes.ok("backup-young", fact);
  for (const backup of backups) {
    const found = damageOf(backup);
    if (found !== undefined)
      notes.error(
        "backup-damaged",
        `backup ${backup.label}: ${found}`,
        "See what else is damaged, and take a new one: soar-backup-verify; soar-base-backup. Until then an older backup can be restored: soar-restore plan --base-backup LABEL.",
      );
  }
}

/** As far as records and the listing tell; whether the bytes are right is what a verification reads them for. */
function damageOf({ record, damage, objects }: BackupDirectory): string | undefined {
  if (damage !== undefined) return damage.message;
  const wrong = record?.objects.find(({ name, size }) => objects.get(name) !== size);
  if (wrong === undefined) return undefined;
  const found = objects.get(wrong.name);
  return found === undefined
    ? `'${wrong.name}' is missing`
    : `'${wrong.name}' has ${found} bytes, ${wrong.size} were stored`;
}

async function examineWindow(
  store: ObjectStore,
  { walSegmentSize }: RepositoryRecord,
  { notes, signal }: { readonly notes: Notes; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { timelines, unreadable } = await readRecoveryWindow(store, walSegmentSize, { signal });
  for (const { timeline, reason } of unreadable)
    notes.error(
      "history-unreadable",
      `what timeline ${timeline} descends from cannot be told: ${reason}`,
      "Remove the object and archive the file again from pg_wal of a server on that timeline. The other timelines can be restored.",
    );
  const [newest] = timelines;
  const holes = newest?.ranges.flatMap(({ hole }) => (hole === undefined ? [] : [hole])) ?? [];
  for (const { from, to, count, declared, expired } of holes) {
    if (expired) continue;
    const range =
      count === 1 ? `segment '${from}' is missing` : `${count} segments from '${from}' to '${to}' are missing`;
    if (declared === undefined)
      notes.error(
        "wal-hole",
        `${range}: no instant behind it can be reached from a backup before it`,
        "If the server still has them, archive them by hand (soar-wal-archive PATH NAME); else take a base backup at once. An instant before the hole can be restored.",
      );
    else
      notes.notice(
        "wal-gap",
        `${range}: given up by ${declared.by} (${declared.reason})`,
        "Instants before and behind it can be restored.",
      );
  }
  // A history without WAL of its own yet, as one that was begun a moment ago, has no range.
  const shown = timelines.find(({ ranges }) => ranges.length > 0);
  const last = shown?.ranges.at(-1);
  if (last !== undefined && holes.every(({ expired }) => expired))
    notes.ok(
      "window",
      `every instant from ${last.from} ${last.to === undefined ? "on" : `to ${last.to}`} can be restored${
        shown === newest ? "" : `, on timeline ${shown?.timeline}; of timeline ${newest?.timeline} no WAL is stored yet`
      }`,
    );
}

async function examineLeftovers(
  store: ObjectStore,
  { policy, now, signal }: RepositoryExpectations,
  notes: Notes,
): Promise<void> {
  const plan = planExpiry(await readExpiryState(store, { now, windowDays: policy.windowDays, signal }), policy);
  if (plan.removeBackups.length + plan.removeWal.length > 0) {
    notes.warning(
      "expiry-due",
      `${plan.removeBackups.length} backups and ${plan.removeWal.length} WAL files are kept and billed, although nothing needs them`,
      "See what and why: soar-base-backup expire --dry-run. Every backup expires at its end, unless it has --no-expire or a key without the right to remove.",
    );
  } else notes.ok("expiry", "nothing is kept that nothing needs");
  const uploads = await listOwnUploads(store, { signal }).catch((error: unknown) => {
    if (!hasErrorCode(error, "STORE_DENIED", "STORE_UNSUPPORTED")) throw error;
    return undefined;
  });
  if (uploads === undefined)
    return notes.notice(
      "uploads-unseen",
      "whether there are uploads that never ended cannot be told: this key may not list them, or the provider does not",
      "Allow s3:ListBucketMultipartUploads, or have a lifecycle rule with AbortIncompleteMultipartUpload.",
    );
  const stale = uploads.filter(({ begunAt }) => now.getTime() - begunAt.getTime() > STALE_UPLOAD_MS);
  if (stale.length > 0)
    notes.warning(
      "uploads-unfinished",
      `${stale.length} uploads never ended, the oldest of ${stale[0]?.begunAt.toISOString().slice(0, 10)}: their parts are billed`,
      "The expiry behind the next base backup removes them; a lifecycle rule with AbortIncompleteMultipartUpload does, too.",
    );
}

/** Without those of another repository, which may lie below this one's prefix. */
async function listOwnUploads(store: ObjectStore, options: CallOptions): Promise<UnfinishedUpload[]> {
  const uploads: UnfinishedUpload[] = [];
  for (const prefix of UPLOAD_PREFIXES) uploads.push(...(await store.listUploads(prefix, options)));
  return uploads.sort((a, b) => a.begunAt.getTime() - b.begunAt.getTime());
}
