import type { Memories } from "./read-memory.ts";

/** What a sample takes or leaves as a whole: a WAL object, or a slice of an archive. */
export interface Unit {
  readonly name: string;
  readonly bytes: number;
  readonly storedAt: Date;
}

export interface SampleRules {
  /** Part of all bytes that is read in one run, more than 0 and at most 1. */
  readonly share: number;
  /** What was last read, or stored, longer ago than this is read whatever the share says, in milliseconds. */
  readonly longestMs?: number | undefined;
}

/**
 * Chooses what to read: whatever was read or stored longest ago, up to the share of all bytes. New units queue behind old
 * ones, so that each is read again after at most 1 / share runs, however much is added meanwhile. What was found damaged is
 * read in every run besides, so that nobody takes silence for repair.
 */
export function chooseSample(
  units: readonly Unit[],
  memory: Memories,
  { share, longestMs = Infinity, now }: SampleRules & { readonly now: Date },
): Unit[] {
  const budget = share * units.reduce((sum, { bytes }) => sum + bytes, 0);
  const isDamaged = ({ name }: Unit): boolean => memory.isDamaged(name);
  const queue = units
    .filter((unit) => !isDamaged(unit))
    .map((unit) => ({ unit, since: provedAt(unit, memory) }))
    .sort((a, b) => a.since - b.since || (a.unit.name < b.unit.name ? -1 : 1));
  const chosen = units.filter(isDamaged);
  let spent = 0;
  for (const { unit, since } of queue) {
    if (spent >= budget && now.getTime() - since < longestMs) break;
    chosen.push(unit);
    spent += unit.bytes;
  }
  return chosen;
}

/** When a unit was read last; when it was stored, for one that never was: its digest was computed then. */
export function provedAt({ name, storedAt }: Unit, memory: Memories): number {
  return Math.max(memory.lastRead(name) ?? 0, storedAt.getTime());
}
