import type { ProviderName } from "./provider-names.ts";
import type { ConditionalPut, ServerHabits } from "./server-habits.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** What differs between providers. Drivers read this table; nothing else knows a provider's name. */
export interface Provider {
  readonly name: ProviderName;
  readonly title: string;
  /** Hosts of its endpoints; the first group is the region, where the host tells it. */
  readonly hosts: RegExp | undefined;
  /** Region for signatures when neither the configuration nor the host names one. */
  readonly defaultRegion: string;
  /** Whether the host's first group is the region to sign for. */
  readonly regionInHost: boolean;
  /** Bucket in the path of the URL, or in its host name. */
  readonly addressing: "path" | "virtual-host";
  /** Parts of one upload. */
  readonly maxParts: number;
  /** Whether that is documented; else `probeMaxParts` asks before a large upload begins. */
  readonly maxPartsDocumented: boolean;
  /** Bytes of a part that is not the last. */
  readonly minPartSize: number;
  readonly maxPartSize: number;
  /** All parts but the last must be equally long. We always upload that way. */
  readonly equalParts: boolean;
  /** What is documented about `If-None-Match: *` of a put; "unknown" until `probeServer` has tried. */
  readonly conditionalPut: ConditionalPut;
  /** What is documented about two such puts that overlap. */
  readonly atomicPut: ServerHabits["atomicPut"];
  /** What is documented about `If-None-Match: *` of a completion. */
  readonly conditionalComplete: ConditionalPut;
  /** Whether listings are in the order of keys; "unknown" where nobody documents it. */
  readonly listingOrder: ServerHabits["listingOrder"] | "unknown";
  /** Keys of one batch delete; 1 where there is none. */
  readonly deleteBatch: number;
  /**
   * ETags are documented to be MD5s (and MD5s of the parts' MD5s), unless KMS or customer keys are used. Where they are
   * not, an equal one is still a proof, but another one says nothing.
   */
  readonly md5Etags: boolean;
  /** Days for which an object is billed at least, whatever is deleted earlier. */
  readonly minimumStorageDays: number;
  /** Bytes that are billed at least in a month. */
  readonly minimumBilledBytes: number;
  /** What the provider says about overload, for hints. */
  readonly retryAdvice: string;
}

const COMMON: Provider = {
  name: "other",
  title: "the S3-compatible provider",
  hosts: undefined,
  defaultRegion: "us-east-1",
  regionInHost: false,
  addressing: "path",
  maxParts: 10_000,
  maxPartsDocumented: false,
  minPartSize: 5 * MIB,
  maxPartSize: 5 * GIB,
  equalParts: false,
  conditionalPut: "unknown",
  atomicPut: "unknown",
  conditionalComplete: "unknown",
  listingOrder: "unknown",
  deleteBatch: 1000,
  md5Etags: false,
  minimumStorageDays: 0,
  minimumBilledBytes: 0,
  retryAdvice: "Try again later; if it persists, ask the provider about limits of your account.",
};

/** Rows are documentation, not measurement, until docs/providers.md has a dated run; see the sources in each row. */
export const PROVIDERS: Readonly<Record<ProviderName, Provider>> = {
  /** Conditional writes since August 2024, of puts and completions, judged when the object appears; limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
  aws: {
    ...COMMON,
    name: "aws",
    listingOrder: "keys",
    title: "Amazon S3",
    hosts: /^s3(?:\.dualstack)?[.-]([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$|^s3\.amazonaws\.com$/,
    regionInHost: true,
    addressing: "virtual-host",
    maxPartsDocumented: true,
    conditionalPut: "honoured",
    atomicPut: "yes",
    conditionalComplete: "honoured",
    md5Etags: true,
    retryAdvice:
      "Amazon asks for slower requests per prefix (3,500 writes a second); it adapts by itself within minutes.",
  },
  /**
   * No conditional writes (501), 503 "no tomes available" as a matter of course, MD5 as the only checksum for long:
   * https://www.backblaze.com/docs/cloud-storage-s3-compatible-api and the threads in docs/providers.md.
   */
  b2: {
    ...COMMON,
    name: "b2",
    listingOrder: "keys",
    title: "Backblaze B2",
    hosts: /^s3\.([a-z0-9-]+)\.backblazeb2\.com$/,
    regionInHost: true,
    maxPartsDocumented: true,
    conditionalPut: "refused",
    conditionalComplete: "refused",
    retryAdvice:
      "Backblaze takes vaults down for up to 30 minutes at a time; a deadline of an hour for long runs outlasts that.",
  },
  /** 90 days (30 reserved) and 1 TB are billed at least: https://docs.wasabi.com/v1/docs/how-does-wasabis-minimum-storage-duration-policy-work */
  wasabi: {
    ...COMMON,
    name: "wasabi",
    listingOrder: "keys",
    maxPartsDocumented: true,
    title: "Wasabi",
    hosts: /^s3(?:\.([a-z0-9-]+))?\.wasabisys\.com$/,
    regionInHost: true,
    md5Etags: true,
    minimumStorageDays: 90,
    minimumBilledBytes: 1e12,
  },
  /** Signs for us-east-1 whatever the data centre is; limits: https://docs.digitalocean.com/products/spaces/details/limits/ */
  spaces: {
    ...COMMON,
    name: "spaces",
    listingOrder: "keys",
    maxPartsDocumented: true,
    title: "DigitalOcean Spaces",
    hosts: /^([a-z0-9-]+)\.digitaloceanspaces\.com$/,
    addressing: "virtual-host",
    md5Etags: true,
    retryAdvice:
      "DigitalOcean allows 1,500 requests a second per address and 300 writes in older buckets; lower the number of parallel jobs.",
  },
  /** Equal parts; region "auto": https://developers.cloudflare.com/r2/api/s3/api/ and https://developers.cloudflare.com/r2/objects/multipart-objects/ */
  r2: {
    ...COMMON,
    name: "r2",
    listingOrder: "keys",
    maxPartsDocumented: true,
    title: "Cloudflare R2",
    hosts: /^[0-9a-f]+(?:\.[a-z]+)?\.r2\.cloudflarestorage\.com$/,
    defaultRegion: "auto",
    md5Etags: true,
    // 5 GiB less 5 MiB by its documentation of limits.
    maxPartSize: 5 * GIB - 5 * MIB,
    equalParts: true,
  },
  minio: { ...COMMON, name: "minio", title: "MinIO", listingOrder: "keys" },
  /** 1,000 parts: https://github.com/cloudnative-pg/cloudnative-pg/issues/1673 */
  scaleway: {
    ...COMMON,
    name: "scaleway",
    listingOrder: "keys",
    title: "Scaleway",
    hosts: /^s3\.([a-z0-9-]+)\.scw\.cloud$/,
    regionInHost: true,
    md5Etags: true,
    maxParts: 1_000,
    maxPartsDocumented: true,
  },
  other: COMMON,
};

/** Finds the provider by the host of its endpoint; `other` for a host that no row knows. */
export function providerOfHost(host: string): Provider {
  return Object.values(PROVIDERS).find(({ hosts }) => hosts?.test(host)) ?? PROVIDERS.other;
}

/** Region to sign for: the configured one, else what the host says, else the provider's default. */
export function regionFor(provider: Provider, host: string, configured: string | undefined): string {
  if (configured !== undefined && configured !== "") return configured;
  const inHost = provider.regionInHost ? provider.hosts?.exec(host)?.[1] : undefined;
  return inHost ?? provider.defaultRegion;
}

/** Amazon's own endpoint of a region. Said aloud, because the SDK would otherwise look for one in files and environment. */
export function awsEndpoint(region: string): string {
  return `https://s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
}
