import type { StoragePrices } from "./cost-prices.ts";
import type { StorageUsage } from "./cost-usage.ts";

/** What the repository costs at one provider, in US dollars. */
export interface StorageCost {
  readonly provider: string;
  readonly asOf: string;
  readonly source: string;
  /** Of the month to come, as things are. */
  readonly month: { readonly storage: number; readonly requests: number; readonly total: number };
  /** Twelve months, with the growth that was seen going on. */
  readonly year: number;
  /** Reading out once, within a month in which nothing else is read. */
  readonly restore: number;
  readonly verification: number;
  readonly drill: number;
}

const GB = 1e9;
const DAYS_PER_MONTH = 365.25 / 12;
/** Bytes per range that a restore or verification asks for. */
const READ_SIZE = 8 * 1024 * 1024;

export function costOf(usage: StorageUsage, prices: StoragePrices): StorageCost {
  const tail = tailStorageOf(usage, prices);
  const storage = storageOf(usage.storedBytes, usage, prices) + tail;
  const requests = requestsCost({ putsPerMonth: usage.putsPerMonth, listsPerMonth: 0 }, prices);
  const restore = readingCost(usage.restoreBytes, usage, prices);
  return {
    provider: prices.provider,
    asOf: prices.asOf,
    source: prices.source,
    month: { storage, requests, total: storage + requests },
    year: Array.from(
      { length: 12 },
      (_, month) => storageOf(usage.storedBytes * (1 + usage.growthPerMonth * month), usage, prices) + tail + requests,
    ).reduce((sum, cost) => sum + cost, 0),
    restore,
    verification: readingCost(usage.storedBytes, usage, prices),
    drill: restore,
  };
}

/** Requests that store, and listings, of a month. */
export function requestsCost(
  { putsPerMonth, listsPerMonth }: { readonly putsPerMonth: number; readonly listsPerMonth: number },
  prices: StoragePrices,
): number {
  const billed = (count: number, free: number, perThousand: number): number =>
    (Math.max(0, count - free) / 1000) * perThousand;
  return (
    billed(putsPerMonth, prices.freePutsPerMonth, prices.perThousandPuts) +
    billed(listsPerMonth, prices.freeListsPerMonth, prices.perThousandLists)
  );
}

/** What stays stored for as long as the retention says is billed for the provider's minimum if that is longer. */
export function storageOf(
  bytes: number,
  { retentionDays }: Pick<StorageUsage, "retentionDays">,
  prices: StoragePrices,
): number {
  const lasting = Math.max(1, prices.minimumDays / retentionDays);
  const billed = Math.max(prices.minimumGb, (bytes / GB) * lasting);
  return prices.flatPerMonth + Math.max(0, billed - prices.includedGb) * prices.perGbMonth;
}

/** A piece of the tail is there for minutes, and billed for the provider's minimum. At most, in US dollars a month. */
function tailStorageOf({ tailBytesPerMonth }: Pick<StorageUsage, "tailBytesPerMonth">, prices: StoragePrices): number {
  return (tailBytesPerMonth / GB) * (prices.minimumDays / DAYS_PER_MONTH) * prices.perGbMonth;
}

/** Of reading so many of the stored bytes, within a month in which nothing else is read, in US dollars. */
export function readingCost(
  bytes: number,
  { storedBytes }: Pick<StorageUsage, "storedBytes">,
  prices: StoragePrices,
): number {
  const free = prices.freeEgressGb + (prices.freeEgressTimesStored * storedBytes) / GB;
  const egress = Math.max(0, bytes / GB - free) * prices.egressPerGb;
  return egress + (bytes / GB) * prices.retrievalPerGb + (bytes / READ_SIZE / 1000) * prices.perThousandGets;
}
