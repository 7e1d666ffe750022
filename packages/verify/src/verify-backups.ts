import { archiveObjects, backupKey, BACKUP_OBJECTS, parseBackupKey } from "@soar/repository";
import type { MemberLocation, SeekArchive } from "@soar/seekable-tar";
import type { CallOptions, ObjectStore } from "@soar/storage";
import type { Finding } from "./finding.ts";
import { KnownMembers } from "./full/known-members.ts";
import { readBackup, type ReadBackupOptions } from "./full/read-backup.ts";
import { ReadCoverage } from "./full/read-coverage.ts";
import { readSlices } from "./full/read-slices.ts";
import { readStored } from "./full/read-stored.ts";
import type { VerifyPool } from "./full/verify-pool.ts";
import type { ReadingPlan } from "./plan-reading.ts";
import { checkBackupLabel, checkManifest, compareFiles } from "./quick/check-manifest.ts";
import { checkObjects } from "./quick/check-objects.ts";
import { checkTable } from "./quick/check-table.ts";
import type { CompleteBackup, Survey } from "./survey/survey-repository.ts";

export interface VerifyBackupsOptions extends CallOptions {
  readonly plan: ReadingPlan;
  readonly pool: VerifyPool;
  readonly parallel: number;
  readonly onRead: ReadBackupOptions["onRead"];
  readonly onDamaged: ReadBackupOptions["onDamaged"];
}

/**
 * Checks backups one after the other, oldest first, because a table takes memory and incrementals refer back: records,
 * sizes, seek table and manifest of each, and then what the plan says of its bytes.
 */
export async function verifyBackups(
  survey: Survey,
  backups: readonly CompleteBackup[],
  options: VerifyBackupsOptions,
): Promise<VerifiedBytes> {
  const sizes = new Map(survey.backups.flatMap(readableObjects));
  const coverage = new ReadCoverage(
    backups.flatMap(({ label, record }) => (options.plan.fullLabels.has(label) ? record.references : [])),
  );
  const reading: ReadBackupOptions = {
    ...options,
    known: new KnownMembers(),
    sizeOf: (key) => sizes.get(key),
    onMember: (location) => coverage.add(location),
  };
  const findings: Finding[] = [];
  const unreadable = new Set<string>();
  for (const backup of backups) {
    const { hasTable, findings: found } = await verifyBackup(survey, backup, { ...options, reading, coverage });
    findings.push(...found);
    const keys = archiveObjects(backup.record).map((object) => backupKey(backup.label, object));
    for (const key of keys) if (!hasTable || sizes.get(key) === undefined) unreadable.add(key);
  }
  return { findings, wholeSlices: coverage.wholeSlices(), unreadable };
}

export interface VerifiedBytes {
  readonly findings: readonly Finding[];
  /** Slices of backups that others refer to, of which every byte was read for these. */
  readonly wholeSlices: readonly string[];
  /** Keys of archives of which nothing could be read: they are not there as they were recorded, or nothing tells what lies where in them. */
  readonly unreadable: ReadonlySet<string>;
}

function readableObjects({ label, record, objects }: CompleteBackup): [string, number][] {
  return record.objects
    .filter(({ name, size }) => objects.get(name) === size)
    .map(({ name, size }) => [backupKey(label, name), size]);
}

async function verifyBackup(
  survey: Survey,
  backup: CompleteBackup,
  {
    plan,
    reading,
    coverage,
    signal,
  }: VerifyBackupsOptions & { readonly reading: ReadBackupOptions; readonly coverage: ReadCoverage },
): Promise<{ readonly hasTable: boolean; readonly findings: readonly Finding[] }> {
  const { store } = survey;
  const { record } = backup;
  const objects = await checkObjects(store, backup, { signal });
  const { table, findings: tableFindings } = await checkTable(survey, backup, { signal });
  const labelBytes = objects.contents.get(BACKUP_OBJECTS.backupLabel);
  const manifest = await checkManifest(store, backup, { table, signal });
  const differences =
    table === undefined || manifest.files === undefined ? [] : compareFiles(table, manifest.files, record);
  const findings = [
    ...objects.findings,
    ...tableFindings,
    ...manifest.findings,
    ...(labelBytes === undefined ? [] : checkBackupLabel(labelBytes, record)),
    ...differences,
  ];
  if (table === undefined) return { hasTable: false, findings };
  if (coverage.concerns(backup.label))
    for (const archive of table.archives)
      for (const location of ownMembers(archive, backup.label)) coverage.exists(location);
  const damage = await readBytes(store, { backup, table, files: manifest.files }, { plan, reading });
  return { hasTable: true, findings: [...findings, ...damage] };
}

/** An incremental's archive also has members in other backups' objects, some of them more than once. */
function* ownMembers({ members }: SeekArchive, label: string): Generator<MemberLocation> {
  for (let index = 0; index < members.length; index += 1) {
    const location = members.get(index);
    if (parseBackupKey(location.object)?.label === label) yield location;
  }
}

async function readBytes(
  store: ObjectStore,
  readable: Parameters<typeof readBackup>[1],
  { plan, reading }: { readonly plan: ReadingPlan; readonly reading: ReadBackupOptions },
): Promise<Finding[]> {
  const { backup } = readable;
  if (plan.isStored) return readStored(store, readable, reading);
  if (plan.fullLabels.has(backup.label)) return readBackup(store, readable, reading);
  const hasSlices = [...plan.slices].some((name) => name.startsWith(`base/${backup.label}/`));
  return hasSlices ? readSlices(store, readable, { ...reading, slices: plan.slices }) : [];
}
