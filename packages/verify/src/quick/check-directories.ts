import {
  BACKUP_OBJECTS,
  backupKey,
  CONFIG_KEY,
  isSealedRecord,
  readRecordText,
  referrersOf,
  type BackupDirectory,
  type BackupRecord,
} from "@soar/repository";
import { findStarted } from "@soar/repository/markers";
import type { CallOptions } from "@soar/storage";
import { findingOf, RESTORE_OBJECT, type Finding } from "../finding.ts";
import type { Survey } from "../survey/survey-repository.ts";

/** The repository's own record, and what is in each directory below `base/`: a backup, a running or interrupted one, or a record that cannot be read. */
export async function checkDirectories(
  { store }: Survey,
  directories: readonly BackupDirectory[],
  { now, signal }: CallOptions & { readonly now: Date },
): Promise<Finding[]> {
  const findings = await unsealed(store, CONFIG_KEY, signal);
  for (const { label, record, damage, objects } of directories) {
    if (damage !== undefined) findings.push(findingOf(damage, { kind: "backup-record-damaged", where: label }));
    else if (record !== undefined) {
      for (const name of RECORDS.filter((each) => objects.has(each)))
        findings.push(...(await unsealed(store, backupKey(label, name), signal)));
      findings.push(...sourceDamage(record), ...wrongClock(record));
    } else if (referrersOf(directories, label).length > 0)
      findings.push(lostRecord(label, referrersOf(directories, label)));
    else if (objects.has(BACKUP_OBJECTS.started)) findings.push(await unfinished({ store, label, now, signal }));
    else findings.push(interrupted(label, "nothing says when it was begun, so that no run removes it"));
  }
  return findings;
}

/** Records of one backup; the last two are for expiry, and nobody reads them while all is well. */
const RECORDS: readonly string[] = [BACKUP_OBJECTS.record, BACKUP_OBJECTS.started, BACKUP_OBJECTS.keep];

async function unfinished({
  store,
  label,
  now,
  signal,
}: {
  readonly store: Survey["store"];
  readonly label: string;
  readonly now: Date;
  readonly signal: AbortSignal | undefined;
}): Promise<Finding> {
  try {
    const started = await findStarted(store, label, { signal });
    if (started === undefined) return interrupted(label, "it disappeared while it was verified");
    if (Date.parse(started.deadline) <= now.getTime())
      return interrupted(label, `it was begun ${started.startedAt} on ${started.host}`);
    return {
      kind: "backup-running",
      severity: "notice",
      where: label,
      what: `a backup is running since ${started.startedAt} on ${started.host}`,
      advice: `Nothing to do. If it does not end by ${started.deadline}, the next soar-base-backup removes what it left.`,
    };
  } catch (error) {
    return { ...findingOf(error, { kind: "backup-interrupted", where: label }), severity: "warning" };
  }
}

/** Interrupted runs are referred to by nobody. */
function lostRecord(where: string, referrers: readonly string[]): Finding {
  return {
    kind: "backup-record-damaged",
    severity: "warning",
    where,
    what: `its backup.json is gone, and ${referrers.join(", ")} refer to its objects`,
    advice:
      "Restore the object from an older version in the bucket or from a copy. Else leave the other objects: nothing removes them while a backup refers to them.",
  };
}

function interrupted(where: string, fact: string): Finding {
  return {
    kind: "backup-interrupted",
    severity: "warning",
    where,
    what: `there is no backup.json: ${fact}`,
    advice:
      "Nothing takes it for a backup. The next soar-base-backup removes it if it knows that its run is dead; else remove its objects.",
  };
}

/** Without its digest a changed record looks like any other. */
async function unsealed(store: Survey["store"], where: string, signal: AbortSignal | undefined): Promise<Finding[]> {
  try {
    if (isSealedRecord(await readRecordText(store, where, { signal }))) return [];
    const what = "it does not end with a digest of itself, so that nobody can tell whether it was changed";
    return [
      {
        kind: "backup-record-damaged",
        severity: "warning",
        where,
        what,
        advice: `Compare it with an older version of it in the bucket. ${RESTORE_OBJECT}`,
      },
    ];
  } catch (error) {
    return [findingOf(error, { kind: "backup-record-damaged", where })];
  }
}

/** Such a backup is whole. But its label may say nothing, nor its age. */
function wrongClock({ label, clockDoubts = [], datedBy }: BackupRecord): Finding[] {
  const named =
    datedBy === undefined ? "Its label and its times may be wrong." : `Its label and its times go by ${datedBy}.`;
  return clockDoubts.map((doubt) => ({
    kind: "clock-wrong",
    severity: "warning",
    where: label,
    what: `while this backup was taken, ${doubt}`,
    advice: `${named} Set the clock right (timedatectl, or date -u) before the next one; nothing expires while stamps contradict each other.`,
  }));
}

function sourceDamage({ label, damagedPages, omitted }: BackupRecord): Finding[] {
  if (damagedPages.length === 0) return [];
  const paths = [...new Set(damagedPages.map(({ path }) => path))];
  const more = Math.max(0, paths.length - 3) + (omitted?.damagedPages ?? 0);
  return [
    {
      kind: "backup-source-damaged",
      severity: "warning",
      where: label,
      what: `the source had damaged pages in ${paths.slice(0, 3).join(", ")}${more > 0 ? ` and ${more} more files` : ""}`,
      advice:
        "The backup is as good as the source was. Repair the server (pg_amcheck finds the affected tables) or restore them from an older backup.",
    },
  ];
}
