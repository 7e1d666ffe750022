import { checkWalSegmentHeader, formatWalSegment } from "@soar/pg-tools";
import { getWalFile, listTimelineSegments, type RepositoryRecord, type TimelineSegments, type WalObject } from "@soar/repository";
import type { ObjectStore } from "@soar/storage";
import type { CheckOptions } from "./check-backup-objects.ts";
import { findingOf, type Finding } from "./finding.ts";
import { forEachAtOnce } from "./for-each-at-once.ts";

export interface WalCheckOptions extends CheckOptions {
  /** First segment number that any kept backup needs. */
  readonly fromIndex: number;
  /** Segments read at once. */
  readonly jobs: number;
}

export interface WalCheck {
  readonly findings: readonly Finding[];
  readonly inventory: TimelineSegments;
}

/** Reads every segment of a timeline: digest, size, header, cluster. Two objects of one segment must hold the same. */
export async function checkTimelineSegments(store: ObjectStore, repository: RepositoryRecord, timeline: number, options: WalCheckOptions): Promise<WalCheck> {
  const { walSegmentSize } = repository;
  const inventory = await listTimelineSegments(store, timeline, walSegmentSize, options);
  const findings: Finding[] = [];
  await forEachAtOnce([...inventory.segments], options.jobs, async ([index, objects]) => {
    for (const object of objects) {
      const finding = await checkSegment(store, repository, object, options);
      if (finding !== undefined) findings.push(finding);
    }
    if (objects.length > 1) findings.push(duplicate(formatWalSegment({ timeline, index }, walSegmentSize), objects));
  });
  return { findings: findings.sort((a, b) => (a.where < b.where ? -1 : 1)), inventory };
}

async function checkSegment(store: ObjectStore, repository: RepositoryRecord, object: WalObject, options: WalCheckOptions): Promise<Finding | undefined> {
  try {
    let head: Buffer | undefined;
    let size = 0;
    for await (const piece of getWalFile(store, object, { signal: options.signal })) {
      head ??= Buffer.from(piece.subarray(0, 64));
      size += piece.length;
    }
    options.onBytes?.(object.size);
    const header = checkWalSegmentHeader(head ?? Buffer.alloc(0), { name: object.name, fileSize: size });
    const isForeign = String(header.systemIdentifier) !== repository.systemIdentifier;
    return isForeign ? foreign(object, String(header.systemIdentifier)) : undefined;
  } catch (error) {
    return findingOf(error, { kind: "wal-damaged", where: object.key });
  }
}

function foreign(object: WalObject, systemIdentifier: string): Finding {
  return {
    kind: "wal-damaged",
    severity: "error",
    where: object.key,
    what: `it is a segment of another cluster, with system identifier ${systemIdentifier}`,
    advice: "Restore an older version of the object from the bucket, and find out what wrote it.",
  };
}

function duplicate(name: string, objects: readonly WalObject[]): Finding {
  return {
    kind: "wal-duplicate",
    severity: "warning",
    where: name,
    what: `it is stored ${objects.length} times: ${objects.map(({ key }) => key).join(", ")}`,
    advice: "Harmless if both were archived by this program after a change of compression; expiry removes them together.",
  };
}
