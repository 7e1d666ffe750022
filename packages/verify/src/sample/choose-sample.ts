import type { ReadMemory } from "./read-memory.ts";

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
 * ones, so that each is read again after at most 1 / share runs, however much is added meanwhile.
 */
export function chooseSample(units: readonly Unit[], memory: Pick<ReadMemory, "lastRead">, { share, longestMs = Infinity, now }: SampleRules & { readonly now: Date }): Unit[] {
  const budget = share * units.reduce((sum, { bytes }) => sum + bytes, 0);
  const queue = units.map((unit) => ({ unit, since: provedAt(unit, memory) })).sort((a, b) => a.since - b.since || (a.unit.name < b.unit.name ? -1 : 1));
  const chosen: Unit[] = [];
  let spent = 0;
  for (const { unit, since } of queue) {
    if (spent >= budget && now.getTime() - since < longestMs) break;
    chosen.push(unit);
    spent += unit.bytes;
  }
  return chosen;
}

/** When a unit was read last; when it was stored, for one that never was: its digest was computed then. */
export function provedAt({ name, storedAt }: Unit, memory: Pick<ReadMemory, "lastRead">): number {
  return Math.max(memory.lastRead(name) ?? 0, storedAt.getTime());
}
