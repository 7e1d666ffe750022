import type { ObjectStore } from "@soar/storage";
import { CLOCK_TOLERANCE_MS } from "./proved-time.ts";

/**
 * The time to write into a record that others judge by their clocks: this machine's, unless the store's server has told another one,
 * whose stamps all of them share.
 */
export function storeTime(store: Pick<ObjectStore, "features">, now: Date): Date {
  const told = store.features.clock();
  return told === undefined || Math.abs(told.getTime() - now.getTime()) <= CLOCK_TOLERANCE_MS ? now : told;
}
