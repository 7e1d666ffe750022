/** How often something happened within the last hour, or since the beginning where that is shorter. */
export interface HourlyRate {
  add(count: number): void;
  readonly perHour: number;
}

const MINUTE_MS = 60_000;
const MINUTES = 60;

/** Counts by the minute, so that its memory does not depend on how much happens. */
export function createHourlyRate(now: () => number): HourlyRate {
  let startedAt = now();
  const minutes = new Map<number, number>();
  const forget = (minute: number): void => {
    // Minutes to come are those of a clock that was set back.
    for (const other of minutes.keys()) if (other <= minute - MINUTES || other > minute) minutes.delete(other);
    startedAt = Math.min(startedAt, now());
  };
  return {
    add(count) {
      const minute = Math.floor(now() / MINUTE_MS);
      forget(minute);
      minutes.set(minute, (minutes.get(minute) ?? 0) + count);
    },
    get perHour() {
      forget(Math.floor(now() / MINUTE_MS));
      const sum = [...minutes.values()].reduce((total, count) => total + count, 0);
      // Less than a minute says too little to multiply it by more than sixty.
      const elapsed = Math.min(MINUTES, Math.max(1, (now() - startedAt) / MINUTE_MS));
      return (sum / elapsed) * MINUTES;
    },
  };
}
