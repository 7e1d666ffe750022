import { formatSize, formatTable } from "@soar/app-kit";
import { costOf, STORAGE_PRICES, storageOf, type StorageCost, type StorageUsage } from "@soar/repository/cost";

export interface CostReport {
  readonly usage: StorageUsage;
  readonly providers: readonly StorageCost[];
  /** Dollars a month, or undefined where nothing was measured that tells. */
  readonly savings: readonly { readonly what: string; readonly perMonth: number | undefined }[];
}

/** Costs at every provider, and what other choices would save at `AWS S3 Standard`, from sizes that were measured here. */
export function reportCost(usage: StorageUsage): CostReport {
  return { usage, providers: STORAGE_PRICES.map((prices) => costOf(usage, prices)), savings: savingsOf(usage) };
}

function savingsOf(usage: StorageUsage): CostReport["savings"] {
  const [standard, tier] = STORAGE_PRICES;
  if (standard === undefined || tier === undefined) return [];
  const { gzip, zstd } = usage.ratios;
  const worth = (bytes: number): number =>
    storageOf(usage.storedBytes, usage, standard) - storageOf(usage.storedBytes - bytes, usage, standard);
  const byZstd = gzip === undefined || zstd === undefined ? undefined : worth(usage.baseBytes * (1 - gzip / zstd));
  const byIncrementals =
    usage.incrementalShare === undefined ? undefined : worth(usage.baseBytes * 0.75 * (1 - usage.incrementalShare));
  return [
    { what: "zstd instead of gzip, as far as backups of both are here", perMonth: byZstd },
    { what: "three of four backups incremental, each as large as the last incremental", perMonth: byIncrementals },
    {
      what: `backups older than 14 days in ${tier.provider}`,
      perMonth: (usage.oldBaseBytes / 1e9) * (standard.perGbMonth - tier.perGbMonth),
    },
  ];
}

export function describeCost({ usage, providers, savings }: CostReport, width: number): string {
  const rows = providers.map(({ provider, month, year, restore, verification, drill, asOf }) => [
    provider,
    dollars(month.storage),
    dollars(month.requests),
    dollars(month.total),
    dollars(year),
    dollars(restore),
    dollars(verification),
    dollars(drill),
    asOf,
  ]);
  const growth = `${(usage.growthPerMonth * 100).toFixed(1)} % a month`;
  return [
    `${formatSize(usage.storedBytes)} in ${usage.objects} objects: backups ${formatSize(usage.baseBytes)}, WAL ${formatSize(usage.walBytes)}, tail ${formatSize(usage.tailBytes)}; ${Math.round(usage.putsPerMonth)} requests a month that store, ${Math.round(usage.tailPutsPerMonth)} of them the tail's; growth ${growth}`,
    "",
    formatTable(COLUMNS, rows, { width }),
    "",
    "US dollars, without taxes, as published in the month named. YEAR has the growth in it. RESTORE, VERIFY and DRILL are what reading costs once.",
    ...savings.map(
      ({ what, perMonth }) =>
        `${what}: ${perMonth === undefined ? "nothing measured yet" : `${perMonth < 0 ? "costs" : "saves"} ${dollars(Math.abs(perMonth))} a month at AWS S3 Standard`}`,
    ),
  ].join("\n");
}

const right = { align: "right" } as const;
const COLUMNS = [
  { header: "PROVIDER", canShrink: true },
  { header: "STORAGE", ...right },
  { header: "REQUESTS", ...right },
  { header: "MONTH", ...right },
  { header: "YEAR", ...right },
  { header: "RESTORE", ...right },
  { header: "VERIFY", ...right },
  { header: "DRILL", ...right },
  { header: "AS OF" },
] as const;

function dollars(amount: number): string {
  return `$${amount.toFixed(2)}`;
}
