import { describeSpan } from "./describe-span.ts";

/** Clocks that differ by less are equal: S3 itself refuses requests that are off by more. */
export const CLOCK_TOLERANCE_MS = 15 * 60_000;

/** What can be known of the time from a repository, and from the machine that looks at it. */
export interface TimeEvidence {
  /** This machine's clock. */
  readonly clock: Date;
  /**
   * When the newest object was stored, as the store stamps it. Without what this very run stored, where this machine itself does the
   * stamping (`file://`): its own word would prove nothing.
   */
  readonly newestStamp: Date | undefined;
  /** By how much the clock that does the stamping seems to have leapt: see `leapOf`. Milliseconds. */
  readonly leapMs?: number | undefined;
  readonly backups: readonly StampedBackup[];
}

/** The end of a backup by its host's clock, and when the store stamped its record; undefined where it has none. */
export interface StampedBackup {
  readonly label: string;
  readonly stoppedAt: Date;
  readonly recordedAt: Date | undefined;
}

/** How far the stamps in a repository reach. */
export interface StampBounds {
  /** Undefined for an empty repository. */
  readonly newest: Date | undefined;
  /** Without those behind a leap of time, which a clock that was wrong may have made: see `leapOf`. */
  readonly newestBeforeLeap: Date | undefined;
}

export interface ProvedTime {
  /** Certainly not in the future: the earlier of this clock and the newest stamp. What is old by it is old. */
  readonly now: Date;
  readonly clock: Date;
  /** How much of the time before is not counted, because nothing shows that it has passed: milliseconds, undefined for none. */
  readonly leapMs?: number;
  /** Where clocks contradict each other, as full sentences: one of them is wrong, and nobody can tell from here by how much. */
  readonly doubts: readonly string[];
}

/**
 * The time that may be acted upon. A clock that runs ahead makes everything look old; what the store has stamped was really
 * there, so time is at least that far, and no further than that is proved. An idle repository is thereby judged as of its newest object, which
 * removes too little and never too much.
 */
export function proveTime({ clock, newestStamp, leapMs = 0, backups }: TimeEvidence): ProvedTime {
  const shown = newestStamp !== undefined && newestStamp < clock ? newestStamp : clock;
  const now = new Date(shown.getTime() - leapMs);
  const doubts: string[] = [];
  if (newestStamp !== undefined && isAhead(newestStamp, clock)) {
    doubts.push(
      `the newest object in the bucket was stored at ${newestStamp.toISOString()}, ${describeSpan(newestStamp, clock)} in the future of this machine's clock`,
    );
  }
  const future = backups.find((backup) => isAhead(provedEnd(backup), clock));
  if (future !== undefined) {
    doubts.push(
      `backup ${future.label} ended at ${future.stoppedAt.toISOString()}, ${describeSpan(provedEnd(future), clock)} in the future of this machine's clock`,
    );
  }
  const newest = newestRecorded(backups);
  if (newest !== undefined && isAhead(newest.stoppedAt, newest.recordedAt)) {
    doubts.push(
      `the clock of the machine that took backup ${newest.label} was ${describeSpan(newest.stoppedAt, newest.recordedAt)} ahead of what the bucket shows`,
    );
  }
  return { now, clock, ...(leapMs === 0 ? {} : { leapMs }), doubts };
}

/**
 * By how much time has leapt between two of these stamps: the longest time without any, where it is more than twice as long as all
 * others; else 0. A clock that was set ahead under a running archiver looks like this, and so does a machine that was off: what lies before
 * ages by what was lived through since. A silence that ended before `since` counts in full, and hides no later one: between a pinned
 * backup, or a history file, and what came after it was expired lies one for ever.
 */
export function leapOf(stamps: readonly Date[], since?: Date): number {
  return findLeap(stamps, since)?.ms ?? 0;
}

/** How far stamps reach, and how far without those behind a leap. */
export function boundsOf(stamps: readonly Date[]): StampBounds {
  const newest = stamps.reduce<Date | undefined>((a, b) => (a === undefined || b > a ? b : a), undefined);
  return { newest, newestBeforeLeap: findLeap(stamps)?.from ?? newest };
}

function findLeap(stamps: readonly Date[], since?: Date): { readonly from: Date; readonly ms: number } | undefined {
  const times = stamps.map((stamp) => stamp.getTime()).sort((a, b) => a - b);
  const gaps = times
    .slice(1)
    .map((to, at) => ({ from: Number(times[at]), ms: to - Number(times[at]), to }))
    .filter(({ to }) => since === undefined || to > since.getTime());
  const [longest = NO_GAP, second = NO_GAP] = gaps.sort((a, b) => b.ms - a.ms);
  if (longest.ms <= Math.max(2 * second.ms, USUAL_GAP_MS)) return undefined;
  return { from: new Date(longest.from), ms: longest.ms };
}

const NO_GAP = { from: 0, ms: 0 };
/** A quiet server stores nothing for as long between two backups. */
const USUAL_GAP_MS = 7 * 86_400_000;

/** Whether `a` is later than `b` by more than clocks may differ. */
function isAhead(a: Date, b: Date): boolean {
  return a.getTime() - b.getTime() > CLOCK_TOLERANCE_MS;
}

/** When the backup ended: no later than its record was stored, whatever its host's clock said. */
export function provedEnd({ stoppedAt, recordedAt }: Omit<StampedBackup, "label">): Date {
  return recordedAt !== undefined && isAhead(stoppedAt, recordedAt) ? recordedAt : stoppedAt;
}

/** The age of something at the moment `now`, in milliseconds; 0 where clocks differ by no more than they may, negative where it lies in the future. */
export function ageAt(now: Date, then: Date): number {
  const age = now.getTime() - then.getTime();
  return age < 0 && !isAhead(then, now) ? 0 : age;
}

type RecordedBackup = StampedBackup & { readonly recordedAt: Date };

function newestRecorded(backups: readonly StampedBackup[]): RecordedBackup | undefined {
  return backups
    .filter((backup): backup is RecordedBackup => backup.recordedAt !== undefined)
    .toSorted((a, b) => a.recordedAt.getTime() - b.recordedAt.getTime())
    .at(-1);
}
