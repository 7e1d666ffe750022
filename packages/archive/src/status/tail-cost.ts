import { requestsCost, STORAGE_PRICES, type StoragePrices } from "@soar/repository/cost";
import type { ArchiverStatus } from "./archiver-status.ts";

/** What archiving and shipping the tail cost a month in requests and in bytes that are billed for longer than they are there. */
export interface TailCost {
  readonly provider: string;
  readonly asOf: string;
  readonly prices: readonly { readonly intervalMs: number; readonly putsPerHour: number; readonly perMonth: number }[];
}

/** Milliseconds; the intervals that are compared. */
const INTERVALS: readonly number[] = [1_000, 5_000, 10_000];
const HOURS_PER_MONTH = (24 * 365.25) / 12;
const DAYS_PER_MONTH = 365.25 / 12;

/**
 * An upper bound, in US dollars. An interval in which nothing is written costs nothing, so that a tail which was shipped
 * less often than its interval allows is shipped less often in every other one too; what was not measured counts as
 * written all the time.
 */
export function estimateTailCost(status: Pick<ArchiverStatus, "hourly" | "tailIntervalMs">): readonly TailCost[] {
  return STORAGE_PRICES.map((prices) => ({
    provider: prices.provider,
    asOf: prices.asOf,
    prices: INTERVALS.map((intervalMs) => {
      const tailPuts = tailPutsPerHour(status, intervalMs);
      return { intervalMs, putsPerHour: tailPuts + otherPuts(status), perMonth: perMonth(status, tailPuts, prices) };
    }),
  }));
}

function tailPutsPerHour(
  { hourly, tailIntervalMs }: Pick<ArchiverStatus, "hourly" | "tailIntervalMs">,
  intervalMs: number,
): number {
  const most = 3_600_000 / intervalMs;
  if (hourly === undefined || tailIntervalMs === undefined) return most;
  return Math.min(most, hourly.tailPuts * Math.max(1, tailIntervalMs / intervalMs));
}

function otherPuts({ hourly }: Pick<ArchiverStatus, "hourly">): number {
  return hourly === undefined ? 0 : Math.max(0, hourly.puts - hourly.tailPuts);
}

function perMonth(status: Pick<ArchiverStatus, "hourly">, tailPuts: number, prices: StoragePrices): number {
  const putsPerMonth = (tailPuts + otherPuts(status)) * HOURS_PER_MONTH;
  const listsPerMonth = (status.hourly?.lists ?? 0) * HOURS_PER_MONTH;
  // A piece is removed with its segment, and billed for the provider's minimum all the same.
  const billedBytes = (status.hourly?.tailBytes ?? 0) * HOURS_PER_MONTH * (prices.minimumDays / DAYS_PER_MONTH);
  return requestsCost({ putsPerMonth, listsPerMonth }, prices) + (billedBytes / 1e9) * prices.perGbMonth;
}
