/** What a provider charges, in US dollars, without taxes and discounts. GB are 10^9 bytes. */
export interface StoragePrices {
  readonly provider: string;
  /** Month that the prices were published for, `YYYY-MM`. They change: look at `source` before deciding anything. */
  readonly asOf: string;
  readonly source: string;
  readonly perGbMonth: number;
  /** Billed also for what is removed earlier. */
  readonly minimumDays: number;
  /** Billed as storage at least. */
  readonly minimumGb: number;
  /** A flat fee that covers `includedGb`. */
  readonly flatPerMonth: number;
  readonly includedGb: number;
  readonly perThousandPuts: number;
  readonly freePutsPerMonth: number;
  readonly perThousandLists: number;
  readonly freeListsPerMonth: number;
  readonly perThousandGets: number;
  /** For reading at all, besides egress. */
  readonly retrievalPerGb: number;
  readonly egressPerGb: number;
  /** Free egress of a month: a fixed amount, and a multiple of what is stored. */
  readonly freeEgressGb: number;
  readonly freeEgressTimesStored: number;
}

const NOTHING = {
  minimumDays: 0,
  minimumGb: 0,
  flatPerMonth: 0,
  includedGb: 0,
  perThousandPuts: 0,
  freePutsPerMonth: 0,
  perThousandLists: 0,
  freeListsPerMonth: 0,
  perThousandGets: 0,
  retrievalPerGb: 0,
  egressPerGb: 0,
  freeEgressGb: 0,
  freeEgressTimesStored: 0,
};
const DAYS_PER_MONTH = 365.25 / 12;
const AWS = {
  ...NOTHING,
  asOf: "2026-05",
  source: "https://aws.amazon.com/s3/pricing/",
  egressPerGb: 0.09,
  freeEgressGb: 100,
};

/**
 * The providers of the specification, and R2, which bills requests most like Amazon; AWS in us-east-1.
 *
 * Compared with stored documents on 2026-11-25: AWS with price tables of May and June 2026; B2's requests with Backblaze's own
 * list (uploads are free, listings and reads are after 2,500 a day), its storage with a table of May 2026; Wasabi with the
 * invoice that docs.wasabi.com explains ($6.99 for 1,024 GB, 2024-06); R2 with Cloudflare's page as it was mirrored in 2024. What
 * confirms Spaces ($5 with 250 GB and 1 TB out, then $0.02 and $0.01) bears no date.
 */
export const STORAGE_PRICES: readonly StoragePrices[] = [
  {
    ...AWS,
    provider: "AWS S3 Standard",
    perGbMonth: 0.023,
    perThousandPuts: 0.005,
    perThousandLists: 0.005,
    perThousandGets: 0.0004,
  },
  {
    ...AWS,
    provider: "AWS S3 Glacier Instant Retrieval",
    perGbMonth: 0.004,
    minimumDays: 90,
    perThousandPuts: 0.02,
    perThousandLists: 0.005,
    perThousandGets: 0.01,
    retrievalPerGb: 0.03,
  },
  {
    ...NOTHING,
    provider: "Backblaze B2",
    asOf: "2026-05",
    source: "https://www.backblaze.com/cloud-storage/pricing",
    perGbMonth: 0.006,
    perThousandLists: 0.004,
    freeListsPerMonth: 2_500 * DAYS_PER_MONTH,
    perThousandGets: 0.0004,
    egressPerGb: 0.01,
    freeEgressTimesStored: 3,
  },
  {
    ...NOTHING,
    provider: "Wasabi",
    asOf: "2024-06",
    source: "https://wasabi.com/pricing",
    perGbMonth: 6.99 / 1_024,
    minimumDays: 90,
    minimumGb: 1_024,
  },
  {
    ...NOTHING,
    provider: "DigitalOcean Spaces",
    asOf: "2025-06",
    source: "https://www.digitalocean.com/pricing/spaces-object-storage",
    perGbMonth: 0.02,
    flatPerMonth: 5,
    includedGb: 250,
    egressPerGb: 0.01,
    freeEgressGb: 1000,
  },
  {
    ...NOTHING,
    provider: "Cloudflare R2",
    asOf: "2024-10",
    source: "https://developers.cloudflare.com/r2/pricing/",
    perGbMonth: 0.015,
    includedGb: 10,
    perThousandPuts: 0.0045,
    freePutsPerMonth: 1_000_000,
    perThousandLists: 0.0045,
    perThousandGets: 0.00036,
  },
];
