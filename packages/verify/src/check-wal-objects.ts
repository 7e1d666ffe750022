import { createHash } from "node:crypto";
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
    const checked: CheckedSegment[] = [];
    for (const object of objects) checked.push(await checkSegment(store, repository, object, options));
    findings.push(...checked.flatMap(({ finding }) => finding ?? []));
    // What is damaged has been told already; whether it once was the same cannot be.
    const digests = new Set(checked.flatMap(({ sha256 }) => sha256 ?? []));
    if (objects.length > 1) findings.push(duplicate(formatWalSegment({ timeline, index }, walSegmentSize), objects, { differ: digests.size > 1 }));
  });
  return { findings: findings.sort((a, b) => (a.where < b.where ? -1 : 1)), inventory };
}

interface CheckedSegment {
  readonly finding: Finding | undefined;
  /** Of the plain bytes of a segment in which nothing was found wrong. */
  readonly sha256: string | undefined;
}

async function checkSegment(store: ObjectStore, repository: RepositoryRecord, object: WalObject, options: WalCheckOptions): Promise<CheckedSegment> {
  try {
    const hash = createHash("sha256");
    let head: Buffer | undefined;
    let size = 0;
    for await (const piece of getWalFile(store, object, { signal: options.signal })) {
      head ??= Buffer.from(piece.subarray(0, 64));
      size += piece.length;
      hash.update(piece);
    }
    options.onBytes?.(object.size);
    const header = checkWalSegmentHeader(head ?? Buffer.alloc(0), { name: object.name, fileSize: size });
    const isForeign = String(header.systemIdentifier) !== repository.systemIdentifier;
    return isForeign ? { finding: foreign(object, String(header.systemIdentifier)), sha256: undefined } : { finding: undefined, sha256: hash.digest("hex") };
  } catch (error) {
    return { finding: findingOf(error, { kind: "wal-damaged", where: object.key }), sha256: undefined };
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

function duplicate(name: string, objects: readonly WalObject[], { differ }: { readonly differ: boolean }): Finding {
  const what = `it is stored ${objects.length} times${differ ? " with different bytes" : ""}: ${objects.map(({ key }) => key).join(", ")}`;
  const advice = differ
    ? "Recovery could take either. Find out which one the server wrote (pg_waldump), and remove the other."
    : "Harmless if both were archived by this program after a change of compression; expiry removes them together.";
  return { kind: "wal-duplicate", severity: differ ? "error" : "warning", where: name, what, advice };
}
