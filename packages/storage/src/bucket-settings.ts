import { hasErrorCode, isSoarError, SoarError } from "@soar/errors";
import type { S3AdminWire, WireLifecycleRule } from "./drivers/s3/admin-wire.ts";
import { classifyS3Failure } from "./drivers/s3/errors.ts";
import { resolveS3Settings } from "./drivers/s3/settings.ts";
import { isS3Failure } from "./drivers/s3/wire.ts";
import type { CallOptions } from "./object-store.ts";
import type { StoreConfig } from "./store-config.ts";
import { parseStoreUrl } from "./store-url.ts";

/** What is set at the provider for a bucket as a whole, as far as these credentials may see it. */
export interface BucketSettings {
  readonly versioning: Told<"on" | "suspended" | "off">;
  /** Empty when there is no configuration. */
  readonly lifecycle: Told<readonly LifecycleRule[]>;
  /** Undefined when Object Lock is off. */
  readonly objectLock: Told<{ readonly defaultRetention: string | undefined } | undefined>;
  /** Names of all buckets of the account that the credentials can see. */
  readonly visibleBuckets: Told<readonly string[]>;
  /** How far the provider's clock is ahead of this machine's, in milliseconds, to the accuracy of a second. */
  readonly clockAheadMs: Told<number>;
}

/** An answer, or why there is none: a provider that does not know the question, or a permission that is missing. */
export type Told<T> =
  | { readonly value: T; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: SoarError };

export interface LifecycleRule {
  readonly id: string;
  readonly isEnabled: boolean;
  /** Of the whole key, the prefix of the store included. Empty for every object. */
  readonly prefix: string;
  /** The rule asks for tags or sizes too, so that it concerns only some of these objects. */
  readonly isNarrower: boolean;
  /** Current versions are removed after so many days, or at a date. */
  readonly expiresAfterDays: number | undefined;
  readonly expiresAt: Date | undefined;
  readonly removesDeleteMarkers: boolean;
  readonly removesNoncurrentAfterDays: number | undefined;
  readonly abortsUploadsAfterDays: number | undefined;
  readonly transitions: readonly { readonly afterDays: number | undefined; readonly storageClass: string }[];
}

/**
 * Asks the provider what is set for the bucket; each question may be refused without spoiling the others. Changes nothing.
 * Rejects with `STORE_UNSUPPORTED` for a store that is no bucket, `CONFIG_INVALID`, and with what makes every question
 * useless: `STORE_UNREACHABLE`, `BUCKET_MISSING`, `CLOCK_SKEWED`, `ABORTED`.
 */
export async function readBucketSettings(config: StoreConfig, { signal }: CallOptions = {}): Promise<BucketSettings> {
  const url = parseStoreUrl(config.url);
  if (url.kind !== "s3")
    throw new SoarError("STORE_UNSUPPORTED", `unable to ask for the settings of '${config.url}': it is no bucket`);
  const settings = resolveS3Settings(config, url.bucket);
  const { createS3AdminWire } = await import("./drivers/s3/sdk-wire.ts");
  const wire = createS3AdminWire(settings);
  const ask = async <T>(action: string, question: () => Promise<T>): Promise<Told<T>> => {
    try {
      signal?.throwIfAborted();
      return { value: await question() };
    } catch (failure) {
      const error = signal?.aborted
        ? new SoarError("ABORTED", `unable to ${action}: stopped by the caller`, { cause: failure })
        : classifyS3Failure(failure, { settings, action });
      if (!isSoarError(error) || hasErrorCode(error, "STORE_UNREACHABLE", "BUCKET_MISSING", "CLOCK_SKEWED", "ABORTED"))
        throw error;
      return { error };
    }
  };
  try {
    return {
      clockAheadMs: await ask("read the provider's clock", () => clockAhead(wire, signal)),
      versioning: await ask("see whether the bucket keeps versions", async () =>
        versioningOf(await wire.getVersioning({ signal })),
      ),
      lifecycle: await ask("read the bucket's lifecycle rules", () => lifecycleOf(wire, signal)),
      objectLock: await ask("see whether the bucket has Object Lock", () => objectLockOf(wire, signal)),
      visibleBuckets: await ask("list the account's buckets", () => wire.listBuckets({ signal })),
    };
  } finally {
    wire.close();
  }
}

async function clockAhead(wire: S3AdminWire, signal: AbortSignal | undefined): Promise<number> {
  const askedAt = Date.now();
  const date = await wire.serverDate({ signal });
  if (date === undefined)
    throw new SoarError("STORE_PROTOCOL", "unable to read the provider's clock: its answer has no date");
  // The header has whole seconds, and names the beginning of its second.
  return date.getTime() + 500 - (askedAt + Date.now()) / 2;
}

function versioningOf(status: string | undefined): "on" | "suspended" | "off" {
  if (status === "Enabled") return "on";
  return status === "Suspended" ? "suspended" : "off";
}

async function lifecycleOf(wire: S3AdminWire, signal: AbortSignal | undefined): Promise<readonly LifecycleRule[]> {
  try {
    return (await wire.getLifecycle({ signal })).map(ruleOf);
  } catch (error) {
    if (isS3Failure(error, 0, "NoSuchLifecycleConfiguration")) return [];
    throw error;
  }
}

function ruleOf(rule: WireLifecycleRule): LifecycleRule {
  const { Filter: filter, Expiration: expiration } = rule;
  const narrowing = [
    filter?.Tag,
    filter?.ObjectSizeGreaterThan,
    filter?.ObjectSizeLessThan,
    filter?.And?.Tags,
    filter?.And?.ObjectSizeGreaterThan,
    filter?.And?.ObjectSizeLessThan,
  ];
  return {
    id: rule.ID ?? "",
    isEnabled: rule.Status === "Enabled",
    prefix: filter?.And?.Prefix ?? filter?.Prefix ?? rule.Prefix ?? "",
    isNarrower: narrowing.some((condition) => condition !== undefined),
    expiresAfterDays: expiration?.Days,
    expiresAt: expiration?.Date,
    removesDeleteMarkers: expiration?.ExpiredObjectDeleteMarker === true,
    removesNoncurrentAfterDays: rule.NoncurrentVersionExpiration?.NoncurrentDays,
    abortsUploadsAfterDays: rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation,
    transitions: (rule.Transitions ?? []).map(({ Days, StorageClass }) => ({
      afterDays: Days,
      storageClass: StorageClass ?? "",
    })),
  };
}

async function objectLockOf(
  wire: S3AdminWire,
  signal: AbortSignal | undefined,
): Promise<{ readonly defaultRetention: string | undefined } | undefined> {
  try {
    const retention = await wire.getObjectLock({ signal });
    if (retention === undefined) return { defaultRetention: undefined };
    const { Mode, Days, Years } = retention;
    return { defaultRetention: `${Years === undefined ? `${Days} days` : `${Years} years`}, ${Mode?.toLowerCase()}` };
  } catch (error) {
    if (isS3Failure(error, 0, "ObjectLockConfigurationNotFoundError")) return undefined;
    throw error;
  }
}
