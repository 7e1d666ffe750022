// What a repository costs a month, and what an operation on it costs.

export { costOf, readingCost, requestsCost, storageOf, type StorageCost } from "./cost.ts";
export { STORAGE_PRICES, type StoragePrices } from "./cost-prices.ts";
export { readStorageUsage, type ReadUsageOptions, type StorageUsage } from "./cost-usage.ts";
