import type { Log } from "./log.ts";
import { formatDuration, formatRate, formatSize } from "./measures.ts";
import type { Screen } from "./screen.ts";
import { visibleLine } from "./visible.ts";

export interface ProgressOptions {
  /** What is being done, for example `base backup`. */
  readonly label: string;
  /** What is counted. */
  readonly unit: "bytes" | "items";
  /** Undefined as long as nobody knows. */
  readonly total?: number | undefined;
}

export interface Progress {
  /**
   * The absolute count, not an increment. The total may become known, or change, on the way.
   *
   * @param place where the work stands, in few words, when a count does not say it
   */
  update(done: number, total?: number, place?: string): void;
  /** Removes the bar and stops the timer. Safe to call twice. */
  finish(): void;
}

/** Rates are those of the last seconds: an average since the start hides that nothing moves any more. */
const RATE_WINDOW_MS = 15_000;
const BAR_INTERVAL_MS = 250;
const LINE_INTERVAL_MS = 30_000;

/** On a terminal a bar with rate and time left, without one a log line every 30 s. */
export function startProgress(options: ProgressOptions, to: { readonly screen: Screen; readonly log: Log }): Progress {
  let done = 0;
  let hasBegun = false;
  let { total } = options;
  let place: string | undefined;
  let samples = [{ at: performance.now(), done: 0 }];
  const snapshot = (): ProgressSnapshot => {
    const at = performance.now();
    samples = [
      ...samples.filter((sample) => at - sample.at <= RATE_WINDOW_MS || sample === samples.at(-1)),
      { at, done },
    ];
    const [oldest = { at, done }] = samples;
    return {
      label: visibleLine(options.label),
      unit: options.unit,
      done,
      total,
      perSecond: (done - oldest.done) / ((at - oldest.at) / 1000),
      place: place === undefined ? undefined : visibleLine(place),
    };
  };
  const show = (): void => {
    // Before the first step there may be a plan to read and a question to answer.
    if (!hasBegun) return;
    if (to.screen.isTerminal) to.screen.setStatus(formatBar(snapshot(), to.screen.width));
    else to.log.info(formatProgressLine(snapshot()));
  };
  const timer = setInterval(show, to.screen.isTerminal ? BAR_INTERVAL_MS : LINE_INTERVAL_MS);
  // The work keeps the process alive, not the display of it.
  timer.unref();
  return {
    update(nowDone, nowTotal = total, nowPlace = place) {
      hasBegun = true;
      done = nowDone;
      total = nowTotal;
      place = nowPlace;
    },
    finish() {
      clearInterval(timer);
      to.screen.setStatus(undefined);
    },
  };
}

export interface ProgressSnapshot {
  readonly label: string;
  readonly unit: "bytes" | "items";
  readonly done: number;
  readonly total: number | undefined;
  /** NaN before anything is known. */
  readonly perSecond: number;
  readonly place?: string | undefined;
}

/** `base backup: 45 % (1.2 GiB of 2.7 GiB), 120 MiB/s, 12 s left`. */
export function formatProgressLine(snapshot: ProgressSnapshot): string {
  const { label, done, total } = snapshot;
  const amount =
    total === undefined
      ? formatAmount(snapshot, done)
      : `${percentOf(done, total)} % (${formatAmount(snapshot, done)} of ${formatAmount(snapshot, total)})`;
  return [`${label}: ${amount}`, ...rateAndTimeLeft(snapshot), ...placeOf(snapshot)].join(", ");
}

/** `base backup [#####-----]  45 %  1.2 GiB  120 MiB/s  12 s left`, at most `width` - 1 columns. */
export function formatBar(snapshot: ProgressSnapshot, width: number): string {
  const { label, done, total } = snapshot;
  const facts = [formatAmount(snapshot, done), ...rateAndTimeLeft(snapshot), ...placeOf(snapshot)].join("  ");
  if (total === undefined) return `${label}  ${facts}`.slice(0, width - 1);
  const percent = percentOf(done, total);
  const cells = Math.min(40, width - label.length - facts.length - 14);
  const filled = Math.round((cells * percent) / 100);
  const bar = cells < 5 ? "" : `[${"#".repeat(filled)}${"-".repeat(cells - filled)}] `;
  return `${label} ${bar}${String(percent).padStart(3)} %  ${facts}`.slice(0, width - 1);
}

function placeOf({ place }: ProgressSnapshot): string[] {
  return place === undefined ? [] : [place];
}

function rateAndTimeLeft({ unit, done, total, perSecond }: ProgressSnapshot): string[] {
  if (!Number.isFinite(perSecond)) return [];
  const rate =
    unit === "bytes"
      ? formatRate(perSecond)
      : `${perSecond >= 10 ? Math.round(perSecond) : Number(perSecond.toFixed(1))}/s`;
  if (total === undefined || total <= done) return [rate];
  return [rate, perSecond > 0 ? `${formatDuration(((total - done) / perSecond) * 1000)} left` : "stalled"];
}

/** 100 only when everything is done. */
function percentOf(done: number, total: number): number {
  return done >= total ? 100 : Math.min(99, Math.floor((100 * done) / total));
}

function formatAmount({ unit }: ProgressSnapshot, amount: number): string {
  return unit === "bytes" ? formatSize(amount) : String(amount);
}
