import type { RepositoryRecord } from "@soar/repository";
import { proveLargeStoredWal, type WalObject } from "@soar/repository/wal";
import { readObject, type CallOptions, type ObjectStore } from "@soar/storage";
import { mapOrdered } from "@soar/task-pool";
import { findingOf, type Finding } from "../finding.ts";
import { duplicate, WAL_ADVICE } from "../quick/check-wal-names.ts";
import { inspectSegment, provedFacts } from "./inspect-segment.ts";
import type { VerifyPool } from "./verify-pool.ts";
import type { SegmentFacts } from "./verify-task.ts";

export interface CheckSegmentsOptions extends CallOptions {
  readonly repository: RepositoryRecord;
  readonly pool: VerifyPool;
  /** Segments read at once. */
  readonly jobs: number;
  /** Whether stored bytes are compared with their checksum, and opened only where there is none. */
  readonly isStored: boolean;
  readonly onRead: (read: { readonly stored: number; readonly plain: number }) => void;
  /** Called with the key of every object whose bytes were read, damaged or not. */
  readonly onUnit: (unit: string) => void;
  /** Called with the key of every object that has to be read again for the same damage to be found again. */
  readonly onDamaged: (unit: string) => void;
}

/** Up to this stored size a segment is handed to a worker whole; larger ones are read piece by piece. */
const LARGEST_WHOLE = 64 * 1024 * 1024;
/** What a segment came to is small; a slow one does not hold up the reading of those after it. */
const WAITING_PER_JOB = 64;

/** Reads segments; each item is all objects of one segment, which must hold the same bytes. Findings come in their order. */
export async function checkSegments(
  store: ObjectStore,
  segments: Iterable<readonly WalObject[]>,
  options: CheckSegmentsOptions,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const limits = { maxItems: options.jobs, maxWaiting: options.jobs * WAITING_PER_JOB, signal: options.signal };
  const check = (objects: readonly WalObject[], signal: AbortSignal) =>
    checkObjects(store, objects, { ...options, signal });
  for await (const found of mapOrdered(segments, check, limits)) findings.push(...found);
  return findings;
}

async function checkObjects(
  store: ObjectStore,
  objects: readonly WalObject[],
  options: CheckSegmentsOptions,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const digests = new Set<string>();
  let isCompared = true;
  for (const object of objects) {
    const checked = await checkSegment(store, object, { ...options, wantsDigest: objects.length > 1 });
    if ("kind" in checked) {
      // Whether what is damaged once was the same cannot be told.
      isCompared = false;
      findings.push(checked);
      options.onDamaged(object.key);
    } else if (checked.sha256 !== undefined) digests.add(checked.sha256);
  }
  if (digests.size > 1) for (const { key } of objects) options.onDamaged(key);
  if (objects.length > 1)
    findings.push(duplicate(objects, digests.size > 1 ? "different" : isCompared ? "equal" : "unknown"));
  return findings;
}

async function checkSegment(
  store: ObjectStore,
  object: WalObject,
  options: CheckSegmentsOptions & { readonly wantsDigest: boolean },
): Promise<SegmentFacts | Finding> {
  const { repository, onRead } = options;
  try {
    const facts = await readSegment(store, object, options);
    onRead({ stored: object.size, plain: facts.isOpened ? facts.plainBytes : 0 });
    if (facts.systemIdentifier !== repository.systemIdentifier)
      return damaged(object, `it is a segment of another cluster, with system identifier ${facts.systemIdentifier}`);
    return facts.plainBytes === repository.walSegmentSize
      ? facts
      : damaged(
          object,
          `it holds ${facts.plainBytes} bytes, a segment of this cluster has ${repository.walSegmentSize}`,
        );
  } catch (error) {
    return findingOf(error, { kind: "wal-damaged", where: object.key });
  }
}

async function readSegment(
  store: ObjectStore,
  object: WalObject,
  { pool, signal, wantsDigest, isStored, onUnit }: CheckSegmentsOptions & { readonly wantsDigest: boolean },
): Promise<SegmentFacts> {
  if (object.size > LARGEST_WHOLE) {
    const told = isStored ? provedFacts(await proveLargeStoredWal(store, object, { signal })) : undefined;
    const facts = told ?? (await inspectSegment(store, object, { signal, wantsDigest }));
    onUnit(object.key);
    return facts;
  }
  const stored = await readObject(store, object.key, { signal });
  onUnit(object.key);
  return pool.checkSegment({ object, location: store.location, stored, wantsDigest, isStored }, signal);
}

function damaged({ key }: WalObject, what: string): Finding {
  return { kind: "wal-damaged", severity: "error", where: key, what, advice: WAL_ADVICE };
}
