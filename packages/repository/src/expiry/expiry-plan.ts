import { SoarError } from "@soar/errors";
import { isOnLineage, parseLsn } from "@soar/pg-tools";
import { referrersOf, type BackupDirectory } from "../records/backup-directories.ts";
import { BACKUP_OBJECTS, backupKey } from "../records/keys.ts";
import type { LeaseRecord } from "../markers/marker-records.ts";
import type { ExpiryState, TimelineState } from "./expiry-state.ts";
import { byStopLsn, isWalNeeded, type Anchor, type Complete } from "./needed-wal.ts";

export interface RetentionPolicy {
  /** Every instant of this many days can be restored. */
  readonly windowDays: number;
  /** At least this many backups are kept, however old. At least 1. */
  readonly minimumBackups: number;
}

export interface ExpiryPlan {
  readonly keep: readonly { readonly label: string; readonly reasons: readonly string[] }[];
  /** Whole directories, in the order in which they are removed: what refers to others goes before them. */
  readonly removeBackups: readonly ExpiredBackup[];
  readonly removeWal: ExpiryState["wal"];
  /** Leases that lapsed more than a day ago: their readers died. */
  readonly removeLeases: readonly LeaseRecord[];
}

export interface ExpiredBackup {
  readonly label: string;
  readonly reason: string;
  /** Something could be restored from it; else it is what an interrupted run has left. */
  readonly isComplete: boolean;
  /** Every object below it, in the order in which they are removed. */
  readonly objects: readonly { readonly key: string; readonly size: number }[];
}

/** A reader whose clock is behind must not lose its lease. */
const LEASE_GRACE_MS = 86_400_000;

/**
 * Decides what may go. Kept are: every backup of the window; for each branch of history that was written to within
 * the window its anchor, the newest backup before the window, with all WAL of the branch from it on, and the same for the
 * newest branch, however long ago it was written to; at least `minimumBackups` backups; pinned ones, and those that a running backup, a lease or a kept incremental refers to. A
 * backup with damaged pages is no anchor while an undamaged one can be it: replay from there repairs the pages. Of backups
 * outside the window only the WAL stays that makes them consistent. History files always stay: they are tiny, archived
 * once, and a branch cannot be followed without them. Throws `REPOSITORY_DAMAGED` when a record cannot be read.
 */
export function planExpiry(state: ExpiryState, policy: RetentionPolicy): ExpiryPlan {
  requireReadable(state.backups);
  const windowStart = windowStartOf(state.time.now, policy);
  const complete = state.backups.filter(
    (backup): backup is Complete => backup.record !== undefined && backup.endedAt !== undefined,
  );
  const anchors = findAnchors(state, complete, windowStart);
  const reasons = keepReasons(state, complete, {
    windowStart,
    anchors,
    minimumBackups: Math.max(1, policy.minimumBackups),
  });
  const kept = complete.filter(({ label }) => reasons.has(label));
  return {
    keep: complete.flatMap(({ label }) => {
      const why = reasons.get(label);
      return why === undefined ? [] : [{ label, reasons: why }];
    }),
    removeBackups: [...expired(complete, reasons), ...abandoned(state)],
    removeWal: state.wal.filter(({ name }) => !isWalNeeded(name, state, kept, anchors)),
    removeLeases: state.leases.filter(
      ({ expiresAt }) => Date.parse(expiresAt) + LEASE_GRACE_MS <= state.time.now.getTime(),
    ),
  };
}

/** Every instant from here on can be restored. */
export function windowStartOf(now: Date, { windowDays }: RetentionPolicy): Date {
  return new Date(now.getTime() - windowDays * 86_400_000);
}

/**
 * What a backup with a damaged record refers to is unknown: removing anything could remove what it needs. Named is what is damaged, before
 * what only had no room beside it.
 */
function requireReadable(backups: readonly BackupDirectory[]): void {
  const unread = backups.filter(({ damage }) => damage !== undefined);
  const found = unread.find(({ isCrowdedOut }) => isCrowdedOut !== true) ?? unread[0];
  if (found?.damage === undefined) return;
  const { label, damage, isCrowdedOut } = found;
  throw new SoarError("REPOSITORY_DAMAGED", damage.message, {
    cause: damage,
    hint:
      isCrowdedOut === true
        ? "Nothing is removed while nobody knows what that backup needs. Its record is whole: leave it where it is. Look at who may write to the bucket, and move the records that are none of this cluster's out of it."
        : giveUpHint(label, referrersOf(backups, label)),
  });
}

function giveUpHint(label: string, referrers: readonly string[]): string {
  const others =
    referrers.length === 0
      ? "No other backup is known to refer to it."
      : `${referrers.join(", ")} refer to it: its objects stay until these have expired.`;
  return `Nothing is removed while nobody knows what that backup needs. Restore the object from an older version of the bucket or a copy. Where there is none, give that backup up, and only that: remove the one object ${backupKey(label, BACKUP_OBJECTS.record)}, never its directory; what is left counts as interrupted, and goes when nothing refers to it any more. ${others}`;
}

/** One per branch that was written to within the window, and at least one: see `newestOf`. */
function findAnchors(state: ExpiryState, complete: readonly Complete[], windowStart: Date): Anchor[] {
  const live = state.timelines.filter((timeline) => writtenAt(timeline) >= windowStart.getTime());
  const followed = live.length > 0 ? live : newestOf(state.timelines);
  return followed.map(({ history }) => {
    const before = complete.filter(
      ({ record, endedAt }) =>
        endedAt <= windowStart && isOnLineage(history, { timeline: record.timeline, lsn: parseLsn(record.stopLsn) }),
    );
    const candidates = before.map(({ record }) => record).sort(byStopLsn);
    return {
      history,
      backup: candidates.findLast(({ damagedPages }) => damagedPages.length === 0) ?? candidates.at(-1),
    };
  });
}

/**
 * The branch that was written to last. A cluster that has not archived for longer than the window is dead, or its archiving
 * is: its newest state is all that is left of it, and no policy is meant to remove that.
 */
function newestOf(timelines: readonly TimelineState[]): readonly TimelineState[] {
  const newest = Math.max(...timelines.map(writtenAt));
  return timelines.filter((timeline) => writtenAt(timeline) === newest);
}

/** A branch of which that is not known counts as one that is being written to. */
function writtenAt({ lastArchivedAt }: TimelineState): number {
  return lastArchivedAt?.getTime() ?? Infinity;
}

interface KeepRules {
  readonly windowStart: Date;
  readonly anchors: readonly Anchor[];
  readonly minimumBackups: number;
}

function keepReasons(
  state: ExpiryState,
  complete: readonly Complete[],
  { windowStart, anchors, minimumBackups }: KeepRules,
): Map<string, string[]> {
  const reasons = new Map<string, string[]>();
  const keep = (label: string, reason: string) => reasons.set(label, [...(reasons.get(label) ?? []), reason]);
  for (const { label, endedAt, kept } of complete) {
    if (endedAt > windowStart) keep(label, "within the window");
    if (kept) keep(label, "pinned");
  }
  for (const { backup } of anchors) if (backup !== undefined) keep(backup.label, "anchor of the window");
  const newest = [...complete].sort(byEnd).slice(-minimumBackups);
  for (const { label } of newest) keep(label, `one of the ${minimumBackups} newest`);
  for (const lease of state.leases) {
    if (new Date(lease.expiresAt) > state.time.now)
      for (const label of lease.labels) keep(label, `in use: ${lease.purpose} on ${lease.host}`);
  }
  for (const started of state.started.values()) {
    if (new Date(started.deadline) > state.time.now)
      for (const label of started.references) keep(label, `referred to by the running backup ${started.label}`);
  }
  keepReferences(complete, keep, reasons);
  return reasons;
}

/** References may chain, so this goes on until nothing new is found. */
function keepReferences(
  complete: readonly Complete[],
  keep: (label: string, reason: string) => void,
  reasons: ReadonlyMap<string, unknown>,
): void {
  const byLabel = new Map(complete.map(({ label, record }) => [label, record]));
  const pending = [...reasons.keys()];
  for (let label = pending.pop(); label !== undefined; label = pending.pop()) {
    for (const reference of byLabel.get(label)?.references ?? []) {
      if (!reasons.has(reference)) pending.push(reference);
      keep(reference, `referred to by ${label}`);
    }
  }
}

/** Newest first: an interrupted expiry must not leave a backup whose record is there and what it refers to is not. */
function expired(complete: readonly Complete[], reasons: ReadonlyMap<string, unknown>): ExpiredBackup[] {
  return complete
    .filter(({ label }) => !reasons.has(label))
    .sort((a, b) => byEnd(b, a))
    .map((backup) => ({
      label: backup.label,
      reason: `ended ${backup.endedAt.toISOString()}, outside the window`,
      isComplete: true,
      objects: removalOrder(backup),
    }));
}

/** Directories of runs that died, and that no backup refers to: a record may be lost, too. A directory without `started.json` was never ours to judge by time: it is left alone. */
function abandoned(state: ExpiryState): ExpiredBackup[] {
  return state.backups.flatMap((backup) => {
    const started = state.started.get(backup.label);
    const isDead =
      backup.record === undefined &&
      !backup.kept &&
      referrersOf(state.backups, backup.label).length === 0 &&
      started !== undefined &&
      new Date(started.deadline) <= state.time.now;
    return isDead
      ? [
          {
            label: backup.label,
            reason: `interrupted: begun ${started.startedAt} on ${started.host}`,
            isComplete: false,
            objects: removalOrder(backup),
          },
        ]
      : [];
  });
}

/**
 * `backup.json` first: from then on the backup does not exist for anybody. `started.json` last: by it the next run
 * recognises what an interrupted one left.
 */
export function removalOrder({ label, objects }: BackupDirectory): ExpiredBackup["objects"] {
  const rank = (name: string) => (name === BACKUP_OBJECTS.record ? 0 : name === BACKUP_OBJECTS.started ? 2 : 1);
  return [...objects]
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([name, size]) => ({ key: backupKey(label, name), size }));
}

function byEnd(a: Complete, b: Complete): number {
  return a.endedAt.getTime() - b.endedAt.getTime();
}
