import { parseWalFileName, parseWalSegment } from "@soar/pg-tools";
import {
  BASE_PREFIX,
  isBackupLabel,
  listBackupDirectories,
  parseBackupKey,
  requireRepositoryRecord,
  TAIL_PREFIX,
  WAL_PREFIX,
  type BackupDirectory,
  type BackupRecord,
  type RepositoryRecord,
} from "@soar/repository";
import { listTimelines, listTimelineSegments, parseWalKey, type TimelineSegments } from "@soar/repository/wal";
import { parseTailPieceKey } from "@soar/repository/tail";
import { compareKeys, type CallOptions, type ObjectStore, type StoredObject } from "@soar/storage";
import { hasErrorCode } from "@soar/errors";
import type { Finding } from "../finding.ts";
import { findNeighbours } from "./find-neighbours.ts";
import { listedStore } from "./listed-store.ts";

const YOUNG_MS = 3600_000;

export type CompleteBackup = BackupDirectory & { readonly record: BackupRecord; readonly endedAt: Date };

/** What is in the bucket, from one listing of it and the records of the backups. */
export interface Survey {
  readonly repository: RepositoryRecord;
  /** Answers listings from the one that was made. */
  readonly store: ObjectStore;
  /** Every object of the repository, by key, in ascending order; without what does not belong there. */
  readonly objects: readonly StoredObject[];
  readonly directories: readonly BackupDirectory[];
  /** Complete backups of this cluster, by the time of their end. */
  readonly backups: readonly CompleteBackup[];
  readonly timelines: readonly number[];
  readonly inventories: ReadonlyMap<number, TimelineSegments>;
  readonly findings: readonly Finding[];
}

/** Lists the bucket once and reads the records of the backups. */
export async function surveyRepository(store: ObjectStore, { signal }: CallOptions): Promise<Survey> {
  const repository = await requireRepositoryRecord(store, { signal });
  const { objects, strays } = await listObjects(store, repository.walSegmentSize, "", { signal });
  const neighbours = await findNeighbours(store, strays, { signal });
  const findings = strays
    .filter((key) => isInTheWay(key) || !neighbours.some((prefix) => key.startsWith(prefix)))
    .map(stray);
  const view = listedStore(store, objects);
  const directories = await listBackupDirectories(view, { signal });
  const timelines = await listTimelines(view, { signal });
  const inventories = new Map<number, TimelineSegments>();
  for (const timeline of timelines)
    inventories.set(timeline, await listTimelineSegments(view, timeline, repository.walSegmentSize, { signal }));
  const readable = directories.filter(
    (directory): directory is CompleteBackup => directory.record !== undefined && directory.endedAt !== undefined,
  );
  const isOwn = ({ record }: CompleteBackup): boolean =>
    record.systemIdentifier === repository.systemIdentifier && record.walSegmentSize === repository.walSegmentSize;
  findings.push(...readable.filter((directory) => !isOwn(directory)).map(({ record }) => foreign(record)));
  const backups = readable.filter(isOwn).sort((a, b) => a.endedAt.getTime() - b.endedAt.getTime());
  return { repository, store: view, objects, directories, backups, timelines, inventories, findings };
}

interface Listed {
  readonly objects: StoredObject[];
  /** Keys of what is no object of this repository. */
  readonly strays: string[];
}

/**
 * A listing is not of one moment: its pages are fetched one after the other while segments arrive, several at once, so that a later one
 * may be seen and one before it not. Where that may be so, WAL is listed once more before anything is called missing.
 */
async function listObjects(
  store: ObjectStore,
  walSegmentSize: number,
  prefix: string,
  { signal }: CallOptions,
): Promise<Listed> {
  const listed: Listed = { objects: [], strays: [] };
  for await (const object of store.list(prefix, { signal })) {
    if (isOfRepository(object, walSegmentSize)) listed.objects.push(object);
    else listed.strays.push(object.key);
  }
  if (prefix === WAL_PREFIX || !hasYoungHole(listed.objects, walSegmentSize)) return listed;
  const again = await listObjects(store, walSegmentSize, WAL_PREFIX, { signal });
  const known = new Set(listed.objects.map(({ key }) => key));
  const arrived = again.objects.filter(({ key }) => !known.has(key));
  return { ...listed, objects: [...listed.objects, ...arrived].sort((a, b) => compareKeys(a.key, b.key)) };
}

/** Whether a segment is not there behind which one was stored a short time before the newest object of all. */
function hasYoungHole(objects: readonly StoredObject[], walSegmentSize: number): boolean {
  const young = objects.reduce((newest, { modifiedAt }) => Math.max(newest, modifiedAt.getTime()), 0) - YOUNG_MS;
  let before: { readonly timeline: number; readonly index: number } | undefined;
  for (const { key, size, modifiedAt } of objects) {
    const name = key.startsWith(WAL_PREFIX) ? parseWalKey(key, size)?.name : undefined;
    if (name === undefined || parseWalFileName(name).kind !== "segment") continue;
    const here = parseWalSegment(name, walSegmentSize);
    if (before?.timeline === here.timeline && here.index > before.index + 1 && modifiedAt.getTime() >= young)
      return true;
    before = here;
  }
  return false;
}

function isOfRepository({ key, size }: StoredObject, segmentSize: number): boolean {
  if (key.startsWith("config/")) return true;
  if (key.startsWith(BASE_PREFIX)) {
    const label = parseBackupKey(key)?.label;
    return label !== undefined && isBackupLabel(label);
  }
  if (key.startsWith(WAL_PREFIX)) return isWalFile(key, size, segmentSize);
  return key.startsWith(TAIL_PREFIX) && parseTailPieceKey(key, size) !== undefined;
}

/** Whether every other command stumbles over it when it lists the same prefix; else nobody ever looks at it. */
function isInTheWay(key: string): boolean {
  return [BASE_PREFIX, WAL_PREFIX, TAIL_PREFIX].some((prefix) => key.startsWith(prefix));
}

function isWalFile(key: string, size: number, segmentSize: number): boolean {
  const object = parseWalKey(key, size);
  try {
    const file = object === undefined ? undefined : parseWalFileName(object.name);
    if (file === undefined || file.kind === "other") return false;
    if (file.kind !== "history") parseWalSegment(file.segmentName, segmentSize);
    return true;
  } catch (error) {
    if (hasErrorCode(error, "WAL_NAME_INVALID")) return false;
    throw error;
  }
}

function stray(where: string): Finding {
  const isError = isInTheWay(where);
  return {
    kind: "object-stray",
    severity: isError ? "error" : "warning",
    where,
    what: isError
      ? "it is no object of this repository, and commands that list this prefix refuse to go on"
      : "it is no object of this repository",
    advice: "Find out what wrote it, and move it out of the repository's prefix.",
  };
}

function foreign({ label, systemIdentifier, walSegmentSize }: BackupRecord): Finding {
  return {
    kind: "backup-foreign",
    severity: "error",
    where: label,
    what: `it is a backup of another cluster, with system identifier ${systemIdentifier} and segments of ${walSegmentSize} bytes`,
    advice: "No restore uses it. Objects of two repositories were mixed: move it to the repository of its own cluster.",
  };
}
