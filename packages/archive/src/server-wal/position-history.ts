/** When the server's WAL reached which position, as far as somebody looked. */
export interface PositionHistory {
  add(lsn: bigint, atMs: number): void;
  /** The first moment at which the server was known to be beyond this position; undefined when it is not. */
  firstBeyond(lsn: bigint): number | undefined;
  /** Bytes of WAL a second, from the difference of the newest position and one of some minutes ago; undefined after less than two looks. */
  readonly rate: number | undefined;
  readonly last: PositionSample | undefined;
}

export interface PositionSample {
  readonly lsn: bigint;
  readonly atMs: number;
}

/** An hour of an outage at one look per 5 s; older looks are thinned out, the oldest is kept. */
const MOST_SAMPLES = 720;
const RATE_WINDOW_MS = 10 * 60_000;
/** Within less, one checkpoint's burst would be taken for the rate. */
const SHORTEST_RATE_MS = 1_000;

/** `earlier` are moments at which segments were finished before anybody looked, in order of their position. */
export function createPositionHistory(earlier: readonly PositionSample[] = []): PositionHistory {
  let samples: PositionSample[] = [];
  let last: PositionSample | undefined;
  let lookedAtMs = -Infinity;
  const note = (sample: PositionSample): void => {
    const newest = samples.at(-1);
    // A new timeline or a new cluster may stand further back: its history begins again.
    if (newest !== undefined && sample.lsn < newest.lsn) samples = [];
    if (newest?.lsn !== sample.lsn) samples.push(sample);
    if (samples.length > MOST_SAMPLES)
      samples = samples.filter((_, index) => index % 2 === 0 || index === samples.length - 1);
  };
  // Files that were copied have the time of the copy: such moments would make the past younger than it is.
  for (const sample of earlier) if (sample.atMs >= (samples.at(-1)?.atMs ?? -Infinity)) note(sample);
  return {
    get last() {
      return last;
    },
    add(lsn, atMs) {
      // The clock was set back: what was seen before is as old as it was, and not of times to come.
      const back = lookedAtMs - atMs;
      if (back > 0 && lookedAtMs > -Infinity) {
        samples = samples.map((sample) => ({ lsn: sample.lsn, atMs: sample.atMs - back }));
        if (last !== undefined) last = { lsn: last.lsn, atMs: last.atMs - back };
      }
      if (last?.lsn !== lsn) last = { lsn, atMs };
      lookedAtMs = atMs;
      note(last);
    },
    firstBeyond: (lsn) => samples.find((sample) => sample.lsn > lsn)?.atMs,
    get rate() {
      const newest = samples.at(-1);
      if (newest === undefined) return undefined;
      // That nothing was written since the newest position is known only as long as somebody looked.
      const untilMs = Math.max(lookedAtMs, newest.atMs);
      const from = samples.findLast(({ atMs }) => atMs <= untilMs - RATE_WINDOW_MS) ?? samples[0];
      if (from === undefined || untilMs - from.atMs < SHORTEST_RATE_MS) return undefined;
      return Number(newest.lsn - from.lsn) / ((untilMs - from.atMs) / 1000);
    },
  };
}
