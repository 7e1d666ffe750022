import { hasErrorCode } from "@soar/errors";
import { listBackupDirectories, requireRepositoryRecord } from "@soar/repository";
import { holdLease, type HeldLease } from "@soar/repository/markers";
import type { ObjectStore } from "@soar/storage";
import type { VerifyOptions } from "./verify-options.ts";

/** No segment has a name after it. */
const LAST_SEGMENT_NAME = "F".repeat(24);

/**
 * Keeps expiry from removing what a verification is about to read: the backups that were asked for, and, when bytes are
 * read, all WAL from the first of them on. Undefined where there is no complete backup, so nothing to protect.
 */
export async function takeLease(
  store: ObjectStore,
  { labels = [], depth, host, now, signal }: VerifyOptions,
): Promise<HeldLease | undefined> {
  await requireRepositoryRecord(store, { signal });
  const directories = await listBackupDirectories(store, { signal }).catch((error: unknown) => {
    // Of the survey to tell; and where the directories cannot be told apart, expiry removes nothing either.
    if (!hasErrorCode(error, "REPOSITORY_DAMAGED")) throw error;
    return [];
  });
  const complete = directories.flatMap(({ label, record }) =>
    record === undefined || (labels.length > 0 && !labels.includes(label)) ? [] : [record],
  );
  if (complete.length === 0) return undefined;
  const wal =
    depth.level === "quick"
      ? {}
      : { walFrom: complete.map(({ firstSegment }) => firstSegment).sort()[0], walTo: LAST_SEGMENT_NAME };
  return holdLease(
    store,
    { purpose: "verify", host, labels: complete.map(({ label }) => label), ...wal },
    { now, signal },
  );
}
