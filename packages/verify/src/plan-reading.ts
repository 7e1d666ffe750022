import { parseWalSegment } from "@soar/pg-tools";
import { archiveObjects, backupKey } from "@soar/repository";
import type { WalObject } from "@soar/repository/wal";
import type { StoredObject } from "@soar/storage";
import { NOTHING_READ } from "./sample/read-memory.ts";
import { chooseSample, provedAt, type Unit } from "./sample/choose-sample.ts";
import { backupUnit, objectOfSlice, sliceName, SLICE_BYTES } from "./sample/unit-names.ts";
import type { CompleteBackup, Survey } from "./survey/survey-repository.ts";
import type { Depth } from "./verify-options.ts";

/** What is read of the bytes that a quick verification leaves alone. */
export interface ReadingPlan {
  /** Whether bytes are compared as they are stored, and not decompressed. */
  readonly isStored: boolean;
  /** Backups of which everything is read that a restore would read. */
  readonly fullLabels: ReadonlySet<string>;
  /** Slices of archives of the other backups. */
  readonly slices: ReadonlySet<string>;
  /** All objects of each segment that is read. */
  readonly segments: readonly (readonly WalObject[])[];
  /** Everything that the chosen backups need, read or not. */
  readonly units: readonly Unit[];
  readonly chosen: readonly Unit[];
  /** Stored bytes that will be read. */
  readonly bytes: number;
}

interface SegmentUnits {
  readonly objects: readonly WalObject[];
  readonly index: number;
  readonly units: readonly Unit[];
}

/** Decides from the listing what is read; `fromIndex` is the first segment that any of the backups needs. */
export function planReading(
  survey: Survey,
  backups: readonly CompleteBackup[],
  { depth, fromIndex, now }: { readonly depth: Depth; readonly fromIndex: number; readonly now: Date },
): ReadingPlan {
  const byKey = new Map(survey.objects.map((object) => [object.key, object]));
  const segments = [...segmentUnits(survey, byKey, fromIndex)];
  const slices = new Map(backups.map((backup) => [backup.label, archiveUnits(backup, byKey)]));
  const full = fullBackups(backups, depth);
  // A backup that is read again for its damage needs no WAL for that.
  const newest = depth.level === "sample" && depth.newest ? backups.at(-1) : undefined;
  const fullFrom = readsAll(depth) ? fromIndex : newest === undefined ? Infinity : firstIndexOf(newest);
  const isForced = ({ index }: SegmentUnits): boolean => index >= fullFrom;
  const fullLabels = new Set(full.map(({ label }) => label));
  const forced = new Set([
    ...segments.filter(isForced).flatMap(({ units }) => units),
    ...full.flatMap(({ label }) => slices.get(label) ?? []),
  ]);
  const units = [...segments.flatMap((segment) => segment.units), ...[...slices.values()].flat()];
  const rest = units.filter((unit) => !forced.has(unit));
  const sampled = depth.level === "sample" ? chooseSample(rest, depth.memory, { ...depth, now }) : [];
  const chosen = new Set([...forced, ...sampled].map(({ name }) => name));
  return {
    isStored: depth.level === "stored",
    fullLabels,
    slices: new Set(sampled.map(({ name }) => name).filter((name) => name.includes("#"))),
    segments: segments
      .filter((segment) => segment.units.some(({ name }) => chosen.has(name)))
      .map(({ objects }) => objects),
    units,
    chosen: units.filter(({ name }) => chosen.has(name)),
    bytes:
      full.reduce((sum, { record }) => sum + record.sizes.stored, 0) +
      [...[...forced].filter(({ name }) => !name.includes("#")), ...sampled].reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

function readsAll({ level }: Depth): boolean {
  return level === "full" || level === "stored";
}

function fullBackups(backups: readonly CompleteBackup[], depth: Depth): readonly CompleteBackup[] {
  if (readsAll(depth)) return backups;
  if (depth.level !== "sample") return [];
  const newest = depth.newest ? backups.at(-1) : undefined;
  return backups.filter((backup) => backup === newest || depth.memory.isDamaged(backupUnit(backup.label)));
}

export function firstIndexOf({ record }: CompleteBackup): number {
  return parseWalSegment(record.firstSegment, record.walSegmentSize).index;
}

function* segmentUnits(
  { inventories }: Survey,
  byKey: ReadonlyMap<string, StoredObject>,
  fromIndex: number,
): Generator<SegmentUnits> {
  for (const { segments } of inventories.values()) {
    for (const [index, objects] of segments) {
      if (index < fromIndex) continue;
      const units = objects.map(({ key, size }) => ({
        name: key,
        bytes: size,
        storedAt: byKey.get(key)?.modifiedAt ?? new Date(0),
      }));
      yield { objects, index, units };
    }
  }
}

function archiveUnits({ label, record, objects }: CompleteBackup, byKey: ReadonlyMap<string, StoredObject>): Unit[] {
  return archiveObjects(record).flatMap((object) => {
    const key = backupKey(label, object);
    const size = objects.get(object) ?? 0;
    const storedAt = byKey.get(key)?.modifiedAt ?? new Date(0);
    return Array.from({ length: Math.ceil(size / SLICE_BYTES) }, (_, at) => ({
      name: sliceName(key, at * SLICE_BYTES),
      bytes: Math.min(SLICE_BYTES, size - at * SLICE_BYTES),
      storedAt,
    }));
  });
}

/** Slices that were to be read, and were there to be. */
export function slicesIn(
  { chosen }: ReadingPlan,
  { unreadable }: { readonly unreadable: ReadonlySet<string> },
): string[] {
  return chosen.flatMap(({ name }) => (name.includes("#") && !unreadable.has(objectOfSlice(name)) ? [name] : []));
}

/** How many segments there are, and how many were read in every form in which they are there. */
export function countSegments(
  { inventories }: Survey,
  { segments }: ReadingPlan,
  read: ReadonlySet<string>,
): { readonly segments: number; readonly read: number } {
  return {
    segments: [...inventories.values()].reduce((sum, inventory) => sum + inventory.segments.size, 0),
    read: segments.filter((objects) => objects.every(({ key }) => read.has(key))).length,
  };
}

/** Since when the oldest of the units that are not read was not compared; undefined when all are read. */
export function unreadSince({ units }: ReadingPlan, read: ReadonlySet<string>, depth: Depth): Date | undefined {
  const memory = depth.level === "sample" ? depth.memory : NOTHING_READ;
  let oldest = Infinity;
  for (const unit of units) if (!read.has(unit.name)) oldest = Math.min(oldest, provedAt(unit, memory));
  return oldest === Infinity ? undefined : new Date(oldest);
}
