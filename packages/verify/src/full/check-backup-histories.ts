import { LARGEST_HISTORY, parseWalKey } from "@soar/repository/wal";
import {
  parseBackupHistoryOf,
  parseBackupLabel,
  type BackupHistory,
  type BackupHistoryName,
} from "@soar/pg-tools/labels";
import { isDeepStrictEqual } from "node:util";
import { formatLsn, parseWalFileName } from "@soar/pg-tools";
import { BACKUP_OBJECTS, readBackupObject, sha256Hex, type BackupRecord } from "@soar/repository";
import { readObject, type CallOptions } from "@soar/storage";
import { isDamage, type Finding } from "../finding.ts";
import type { Survey } from "../survey/survey-repository.ts";

/**
 * Reads the backup history files that the server archived, and compares each with the backup that it is about. No restore of ours
 * needs them; whoever restores by hand believes them.
 */
export async function checkBackupHistories(survey: Survey, options: CallOptions): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { key, size } of survey.objects) {
    const name = parseWalKey(key, size)?.name;
    const file = name === undefined ? undefined : parseWalFileName(name);
    if (file?.kind !== "backup-history") continue;
    const what = await contradiction(survey, { key, file, size }, options);
    if (what !== undefined) findings.push(damaged(key, what));
  }
  return findings;
}

async function contradiction(
  { store, backups }: Survey,
  { key, file, size }: { readonly key: string; readonly file: BackupHistoryName; readonly size: number },
  options: CallOptions,
): Promise<string | undefined> {
  if (size > LARGEST_HISTORY) return `it has ${size} bytes`;
  const bytes = await readObject(store, key, { ...options, maxBytes: LARGEST_HISTORY });
  let history: BackupHistory;
  try {
    history = parseBackupHistoryOf(file, bytes.toString("utf8"));
  } catch (error) {
    if (!isDamage(error)) throw error;
    return error.message;
  }
  // A server in recovery writes none (do_pg_backup_stop), though its backup begins where that of its primary does, and older
  // records of such backups name the file of the primary's.
  const { name } = file;
  const records = backups.map(({ record }) => record).filter(({ source }) => !source.fromStandby);
  const about =
    records.find(({ backupHistory }) => backupHistory?.name === name) ??
    records.find(({ startLsn }) => startLsn === formatLsn(history.startLsn));
  if (about === undefined) return undefined;
  if (about.backupHistory?.name === name && about.backupHistory.sha256 !== sha256Hex(bytes))
    return `its bytes are not those that it had when backup ${about.label} was completed`;
  return unlikeBackup(history, about, await readLabel(store, about, options));
}

/** Undefined where it is damaged itself, which another check tells. */
async function readLabel(
  store: Survey["store"],
  backup: BackupRecord,
  options: CallOptions,
): Promise<string | undefined> {
  try {
    return (await readBackupObject(store, backup, BACKUP_OBJECTS.backupLabel, options)).toString("utf8");
  } catch (error) {
    if (!isDamage(error)) throw error;
    return undefined;
  }
}

function unlikeBackup(history: BackupHistory, backup: BackupRecord, label: string | undefined): string | undefined {
  if (formatLsn(history.stopLsn) !== backup.stopLsn)
    return `it says that the backup ended at ${formatLsn(history.stopLsn)}, and backup ${backup.label} ended at ${backup.stopLsn}`;
  if (label === undefined) return undefined;
  const { stopLsn: _lsn, stopSegmentName: _name, stopTime: _time, stopTimeline: _timeline, ...begin } = history;
  return isDeepStrictEqual(begin, parseBackupLabel(label))
    ? undefined
    : `it contradicts the backup_label of backup ${backup.label}`;
}

function damaged(where: string, what: string): Finding {
  return {
    kind: "wal-damaged",
    severity: "error",
    where,
    what,
    advice:
      "No restore by these tools needs it. Restore an older version of the object from the bucket, or remove it: the record of the backup has what it says.",
  };
}
