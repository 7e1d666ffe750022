/** When the server's WAL reached which position, as far as somebody looked. */
export interface PositionHistory {
  add(lsn: bigint, atMs: number): void;
  /** The first moment at which the server was known to be beyond this position; undefined when it is not. */
  firstBeyond(lsn: bigint): number | undefined;
  readonly last: { readonly lsn: bigint; readonly atMs: number } | undefined;
}

/** An hour of an outage at one look per 5 s; older looks are thinned out, the oldest is kept. */
const MOST_SAMPLES = 720;

export function createPositionHistory(): PositionHistory {
  let samples: { lsn: bigint; atMs: number }[] = [];
  return {
    get last() {
      return samples.at(-1);
    },
    add(lsn, atMs) {
      const last = samples.at(-1);
      // A new timeline or a new cluster may stand further back: its history begins again.
      if (last !== undefined && lsn < last.lsn) samples = [];
      if (last?.lsn !== lsn) samples.push({ lsn, atMs });
      if (samples.length > MOST_SAMPLES) samples = samples.filter((_, index) => index % 2 === 0 || index === samples.length - 1);
    },
    firstBeyond: (lsn) => samples.find((sample) => sample.lsn > lsn)?.atMs,
  };
}
