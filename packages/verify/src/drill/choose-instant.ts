import { createHash } from "node:crypto";
import { SoarError } from "@soar/errors";
import type { RecoveryWindow } from "@soar/repository/window";

export interface ChosenInstant {
  /** Microseconds since 1970 UTC. */
  readonly micros: bigint;
  readonly timeline: number;
}

/**
 * Chooses an instant of the window, each as likely as any other; on a timeline that ends in a branch as well as on the
 * newest. The same seed and draw choose the same instant of the same window. Throws `TARGET_UNREACHABLE` when the window
 * holds none.
 */
export function chooseInstant(
  { timelines }: RecoveryWindow,
  { seed, draw }: { readonly seed: number; readonly draw: number },
): ChosenInstant {
  const spans = timelines.flatMap(({ timeline, ranges }) =>
    ranges.flatMap(({ from, to }) => spanOf(timeline, from, to)),
  );
  const total = spans.reduce((sum, { length }) => sum + length, 0);
  let position = fraction(seed, draw) * total;
  for (const { timeline, begin, length } of spans) {
    if (position < length) return { micros: BigInt(Math.floor(begin + position)) * 1000n, timeline };
    position -= length;
  }
  throw new SoarError(
    "TARGET_UNREACHABLE",
    "unable to choose an instant at random: no commit behind a base backup is in the bucket",
    { hint: "Drill the latest state instead: --at latest." },
  );
}

/** Recovery to a time stops at a later commit, so the last one of a range is no target. */
function spanOf(
  timeline: number,
  from: string,
  to: string | undefined,
): { timeline: number; begin: number; length: number }[] {
  const begin = Date.parse(from);
  const length = to === undefined ? 0 : Date.parse(to) - begin;
  return length > 0 ? [{ timeline, begin, length }] : [];
}

/** In [0, 1). */
function fraction(seed: number, draw: number): number {
  return createHash("sha256").update(`${seed}/${draw}`).digest().readUIntBE(0, 6) / 2 ** 48;
}
