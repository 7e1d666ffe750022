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
  readonly perThousandGets: number;
  /** For reading at all, besides egress. */
  readonly retrievalPerGb: number;
  readonly egressPerGb: number;
  /** Free egress of a month: a fixed amount, and a multiple of what is stored. */
  readonly freeEgressGb: number;
  readonly freeEgressTimesStored: number;
}

const NOTHING = { minimumDays: 0, minimumGb: 0, flatPerMonth: 0, includedGb: 0, perThousandPuts: 0, perThousandGets: 0, retrievalPerGb: 0, egressPerGb: 0, freeEgressGb: 0, freeEgressTimesStored: 0 };
const AWS = { ...NOTHING, asOf: "2025-06", source: "https://aws.amazon.com/s3/pricing/", egressPerGb: 0.09, freeEgressGb: 100 };

/** The providers of the specification; AWS in us-east-1. */
export const STORAGE_PRICES: readonly StoragePrices[] = [
  { ...AWS, provider: "AWS S3 Standard", perGbMonth: 0.023, perThousandPuts: 0.005, perThousandGets: 0.0004 },
  { ...AWS, provider: "AWS S3 Glacier Instant Retrieval", perGbMonth: 0.004, minimumDays: 90, perThousandPuts: 0.02, perThousandGets: 0.01, retrievalPerGb: 0.03 },
  { ...NOTHING, provider: "Backblaze B2", asOf: "2025-06", source: "https://www.backblaze.com/cloud-storage/pricing", perGbMonth: 0.006, perThousandGets: 0.0004, egressPerGb: 0.01, freeEgressTimesStored: 3 },
  { ...NOTHING, provider: "Wasabi", asOf: "2025-06", source: "https://wasabi.com/pricing", perGbMonth: 0.00699, minimumDays: 90, minimumGb: 1000 },
  { ...NOTHING, provider: "DigitalOcean Spaces", asOf: "2025-06", source: "https://www.digitalocean.com/pricing/spaces-object-storage", perGbMonth: 0.02, flatPerMonth: 5, includedGb: 250, egressPerGb: 0.01, freeEgressGb: 1000 },
];
