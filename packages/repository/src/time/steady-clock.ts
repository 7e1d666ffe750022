import { describeSpan } from "./describe-span.ts";
import { CLOCK_TOLERANCE_MS } from "./proved-time.ts";

/** The time of one run. */
export interface SteadyClock {
  /** When the run began by the machine's clock, and the time that passed since: it never jumps and never goes back. */
  now(): Date;
  /** What the machine's clock did meanwhile, as a sentence without its stop; undefined while it goes with the time that passes. */
  jump(): string | undefined;
}

/**
 * A clock that goes on from where the machine's stood, whatever is done to that one meanwhile: what a run writes down of its
 * beginning, its end and its deadlines belongs together.
 *
 * @param machine the machine's clock
 * @param passed milliseconds of a clock that nobody can set
 */
export function steadyClock(machine: () => Date, passed: () => number = () => performance.now()): SteadyClock {
  const [began, origin] = [machine().getTime(), passed()];
  const now = (): Date => new Date(began + (passed() - origin));
  return {
    now,
    jump() {
      const [machines, ours] = [machine(), now()];
      const ahead = machines.getTime() - ours.getTime();
      if (Math.abs(ahead) <= CLOCK_TOLERANCE_MS) return undefined;
      return ahead > 0
        ? `this machine's clock was set ${describeSpan(machines, ours)} ahead, or the machine slept, while this ran`
        : `this machine's clock was set ${describeSpan(ours, machines)} back while this ran`;
    },
  };
}

/** What somebody else's clock showed at the moment when this machine's showed `clock`. */
export interface OtherClock {
  /** Whose it is, as the beginning of a sentence. */
  readonly name: string;
  readonly clock: Date;
  readonly at: Date;
}

/** Where clocks differ by more than they may, as sentences without their stop: one of them is wrong. */
export function compareClocks(others: readonly OtherClock[]): string[] {
  return others.flatMap(({ name, clock, at }) => {
    const ahead = at.getTime() - clock.getTime();
    if (Math.abs(ahead) <= CLOCK_TOLERANCE_MS) return [];
    const span = ahead > 0 ? `${describeSpan(at, clock)} ahead of` : `${describeSpan(clock, at)} behind`;
    return [`${name} was ${span} this machine's (${at.toISOString()} and ${clock.toISOString()})`];
  });
}
