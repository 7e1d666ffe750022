import type { WireCall } from "./wire.ts";

/** Requests about a bucket instead of its objects. `sdk-wire.ts` implements it; every method rejects with an `S3Failure`. */
export interface S3AdminWire {
  /** `Enabled`, `Suspended`, or undefined where it never was on. */
  getVersioning(request: WireCall): Promise<string | undefined>;
  getLifecycle(request: WireCall): Promise<readonly WireLifecycleRule[]>;
  /** The retention that new objects get; undefined where Object Lock is on without one. */
  getObjectLock(
    request: WireCall,
  ): Promise<
    | { readonly Mode?: string | undefined; readonly Days?: number | undefined; readonly Years?: number | undefined }
    | undefined
  >;
  /** Names of all buckets that these credentials may list. */
  listBuckets(request: WireCall): Promise<readonly string[]>;
  /** The `Date` of an answer. */
  serverDate(request: WireCall): Promise<Date | undefined>;
  close(): void;
}

/** A rule as S3 writes it (https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html). */
export interface WireLifecycleRule {
  readonly ID?: string | undefined;
  readonly Status?: string | undefined;
  readonly Prefix?: string | undefined;
  readonly Filter?: WireLifecycleFilter | undefined;
  readonly Expiration?:
    | {
        readonly Days?: number | undefined;
        readonly Date?: Date | undefined;
        readonly ExpiredObjectDeleteMarker?: boolean | undefined;
      }
    | undefined;
  readonly NoncurrentVersionExpiration?: { readonly NoncurrentDays?: number | undefined } | undefined;
  readonly AbortIncompleteMultipartUpload?: { readonly DaysAfterInitiation?: number | undefined } | undefined;
  readonly Transitions?:
    | readonly { readonly Days?: number | undefined; readonly StorageClass?: string | undefined }[]
    | undefined;
}

interface WireLifecycleFilter {
  readonly Prefix?: string | undefined;
  readonly Tag?: unknown;
  readonly ObjectSizeGreaterThan?: number | undefined;
  readonly ObjectSizeLessThan?: number | undefined;
  readonly And?: (Omit<WireLifecycleFilter, "And" | "Tag"> & { readonly Tags?: unknown }) | undefined;
}
