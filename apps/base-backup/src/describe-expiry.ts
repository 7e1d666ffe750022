import { formatSize, formatTable } from "@soar/app-kit";
import type { ExpiryPlan } from "@soar/repository/expiry";
import { describeFreed, type OldVersions } from "./old-versions.ts";

export interface DescribeOptions {
  readonly width: number;
  /** What becomes of what is removed. */
  readonly versions: OldVersions;
}

/** What an expiry removes and keeps, as a person reads it. The JSON names every object. */
export function describeExpiry(plan: ExpiryPlan, { width, versions }: DescribeOptions): string {
  const { keep, removeBackups, removeWal, removeLeases } = plan;
  const kept = keep.map(({ label, reasons }) => ["keep", label, "", reasons.join("; ")]);
  const removed = removeBackups.map(({ label, reason, objects }) => [
    "remove",
    label,
    formatSize(sum(objects)),
    reason,
  ]);
  const lines = [formatTable(COLUMNS, [...kept, ...removed], { width })];
  for (const { timeline, count, bytes, first, last } of walRanges(removeWal)) {
    lines.push(
      `remove ${count} WAL files of timeline ${timeline}, between ${first} and ${last} (${formatSize(bytes)})`,
    );
  }
  if (removeLeases.length > 0) lines.push(`remove ${removeLeases.length} lapsed leases`);
  lines.push(
    removeBackups.length + removeWal.length === 0
      ? "Nothing is to be removed."
      : describeFreed(removedBytes(plan), versions),
  );
  return lines.join("\n");
}

function removedBytes({ removeBackups, removeWal }: ExpiryPlan): number {
  return sum(removeWal) + removeBackups.reduce((bytes, { objects }) => bytes + sum(objects), 0);
}

/** The same plan for programs: every key that a run removes. */
export function expiryToJson({ keep, removeBackups, removeWal, removeLeases }: ExpiryPlan): object {
  return {
    keep,
    removeBackups,
    removeWal: removeWal.map(({ key, size }) => ({ key, size })),
    removeLeases: removeLeases.map(({ id }) => id),
  };
}

const COLUMNS = [
  { header: "" },
  { header: "BACKUP" },
  { header: "SIZE", align: "right" },
  { header: "WHY", canShrink: true },
] as const;

interface WalRange {
  readonly timeline: number;
  readonly count: number;
  readonly bytes: number;
  readonly first: string;
  readonly last: string;
}

function walRanges(wal: ExpiryPlan["removeWal"]): WalRange[] {
  const ranges = new Map<number, WalRange>();
  for (const { name, size } of wal) {
    const timeline = Number.parseInt(name.slice(0, 8), 16);
    const { count, bytes, first, last } = ranges.get(timeline) ?? { count: 0, bytes: 0, first: name, last: name };
    ranges.set(timeline, {
      timeline,
      count: count + 1,
      bytes: bytes + size,
      first: name < first ? name : first,
      last: name > last ? name : last,
    });
  }
  return [...ranges.values()];
}

function sum(objects: readonly { readonly size: number }[]): number {
  return objects.reduce((bytes, { size }) => bytes + size, 0);
}
