import { SoarError } from "@soar/errors";
import { isOnLineage, parseLsn, type TimelineHistory } from "@soar/pg-tools";
import {
  backupKey,
  listBackupDirectories,
  type BackupDirectory,
  type BackupRecord,
  type RepositoryRecord,
} from "@soar/repository";
import type { CallOptions, ObjectStore } from "@soar/storage";
import type { RestorePlan } from "./plan.ts";

/** A complete backup with what is there of it. */
export type Candidate = BackupDirectory & { readonly record: BackupRecord };

interface Candidates {
  /** Complete backups of this cluster, newest (by stop LSN) first. */
  readonly candidates: readonly Candidate[];
  /** Those that are there and cannot be used at all. */
  readonly unusable: RestorePlan["passedOver"];
}

/** Backups that a restore may begin with; only the named one when one is named. Rejects with `BACKUP_MISSING` or `REPOSITORY_FOREIGN`. */
export async function findCandidates(
  store: ObjectStore,
  repository: RepositoryRecord,
  { backup, signal }: CallOptions & { readonly backup?: string | undefined },
): Promise<Candidates> {
  const directories = await listBackupDirectories(store, { signal });
  const complete = directories.filter((directory): directory is Candidate => directory.record !== undefined);
  if (backup !== undefined)
    return {
      candidates: [requireOwn(requireNamed(complete, directories, backup, store.location), repository, store.location)],
      unusable: [],
    };
  const own = complete.filter((candidate) => isOwn(candidate, repository));
  const foreign = complete
    .filter((candidate) => !isOwn(candidate, repository))
    .map(({ label, record }) => ({
      label,
      reason: `it is of another cluster, with system identifier ${record.systemIdentifier}`,
    }));
  const damaged = directories.flatMap(({ label, damage }) =>
    damage === undefined ? [] : [{ label, reason: damage.message }],
  );
  if (own.length === 0) throw noBackup(store.location, [...damaged, ...foreign]);
  return {
    candidates: own.sort((a, b) => (parseLsn(a.record.stopLsn) < parseLsn(b.record.stopLsn) ? 1 : -1)),
    unusable: [...damaged, ...foreign],
  };
}

function isOwn({ record }: Candidate, repository: RepositoryRecord): boolean {
  return record.systemIdentifier === repository.systemIdentifier && record.walSegmentSize === repository.walSegmentSize;
}

function requireOwn(candidate: Candidate, repository: RepositoryRecord, location: string): Candidate {
  if (isOwn(candidate, repository)) return candidate;
  throw new SoarError(
    "REPOSITORY_FOREIGN",
    `unable to use backup '${candidate.label}' in '${location}': it is of another cluster, with system identifier ${candidate.record.systemIdentifier}`,
    {
      hint: "Objects of two repositories were mixed; move the backup to the repository of its own cluster.",
    },
  );
}

function requireNamed(
  complete: readonly Candidate[],
  all: readonly BackupDirectory[],
  label: string,
  location: string,
): Candidate {
  const found = complete.find((candidate) => candidate.label === label);
  if (found !== undefined) return found;
  const interrupted = all.some((directory) => directory.label === label);
  throw new SoarError("BACKUP_MISSING", `there is no complete backup '${label}' in '${location}'`, {
    cause: all.find((directory) => directory.label === label)?.damage,
    hint: interrupted
      ? "This one is still running or was interrupted, so it cannot be used. soar-base-backup list shows the complete ones."
      : `The complete ones are: ${complete.map((candidate) => candidate.label).join(", ") || "none"}.`,
  });
}

/** Throws `TARGET_UNREACHABLE` when no backup lies on the way to the timeline. */
export function requireOnLineage(
  candidates: readonly Candidate[],
  history: TimelineHistory,
  location: string,
): Candidate[] {
  const onLineage = candidates.filter(({ record }) =>
    isOnLineage(history, { timeline: record.timeline, lsn: parseLsn(record.stopLsn) }),
  );
  if (onLineage.length > 0) return onLineage;
  throw new SoarError(
    "TARGET_UNREACHABLE",
    `no backup in '${location}' leads to timeline ${history.timeline}: each was taken on a branch that was left before the backup's end`,
    {
      hint: `Name the timeline of a backup: --target-timeline ${candidates[0]?.record.timeline ?? 1}.`,
    },
  );
}

/** Of a backup's own objects. Damaged WAL is another matter: an older backup needs the same WAL, and more. */
export class BackupDamage extends SoarError {}

/** The listing already shows what is missing or cut short; content is compared by digest when it is fetched. */
export function findDamage(store: ObjectStore, { record, objects }: Candidate): BackupDamage | undefined {
  const wrong = record.objects.find(({ name, size }) => objects.get(name) !== size);
  if (wrong === undefined) return undefined;
  const found = objects.get(wrong.name);
  const fact = found === undefined ? "it is missing" : `it has ${found} bytes, ${wrong.size} were recorded`;
  return new BackupDamage(
    "REPOSITORY_DAMAGED",
    `unable to use backup '${record.label}': '${store.location}/${backupKey(record.label, wrong.name)}' is damaged: ${fact}`,
    {
      hint: "Restore the object from an older version in the bucket, or name another backup with --base-backup.",
    },
  );
}

export function noBackup(location: string, unusable: RestorePlan["passedOver"] = []): SoarError {
  const [first] = unusable;
  return new SoarError(
    "BACKUP_MISSING",
    `there is no complete backup in '${location}'${first === undefined ? "" : ` that can be used: '${first.label}': ${first.reason}`}`,
    {
      hint: "Check bucket and prefix in BACKUP_BUCKET; soar-base-backup takes a backup, soar-base-backup list shows them.",
    },
  );
}
