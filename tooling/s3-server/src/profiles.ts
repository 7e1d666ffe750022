import { refusalOf, type Refusal } from "./s3-error.ts";

/**
 * What a provider does differently. One row per provider below; `startS3Server({ rules })` overrides single fields,
 * for example `{ minPartSize: 1024 }` to keep test data small. Sources are named by their number in docs/providers.md.
 */
export interface ProfileRules {
  /** `If-None-Match: *` on writes: decided atomically (412), answered with a refusal, or silently overlooked. */
  readonly conditionalPut: "honoured" | "ignored" | Refusal;
  /** `x-amz-checksum-*` and `x-amz-sdk-checksum-algorithm`: verified, or answered with the provider's refusal. */
  readonly checksumHeaders: "verified" | ((header: string) => Refusal);
  /** Bodies in aws-chunked form (`STREAMING-*`): decoded and verified, or refused. */
  readonly awsChunked: "accepted" | ((payloadHash: string) => Refusal);
  /** What DeleteObjects, configurations and writes under Object Lock demand as proof of their body. */
  readonly bodyDigest: "md5-or-checksum" | "md5" | "none";
  /** Answer to DeleteObjects and configurations without that proof. */
  readonly missingDigest: Refusal;
  /** DeleteObjects at all. */
  readonly batchDelete: "accepted" | Refusal;
  readonly maxParts: number;
  /** Answer to a part number beyond `maxParts`. */
  readonly tooManyParts: Refusal;
  /** Bytes. Smaller parts, unless the last, fail at completion. */
  readonly minPartSize: number;
  /** Bytes; a larger single PUT or part is EntityTooLarge. */
  readonly maxPutSize: number;
  /** Every part but the last must have the length of the first. */
  readonly equalParts: boolean;
  /** `always`: buckets keep every version from the start and cannot stop; `none`: the operations do not exist. */
  readonly versioning: "optional" | "always" | "none";
  readonly objectLock: boolean;
  readonly lifecycle: boolean;
  readonly kms: boolean;
  /** Accepted values of x-amz-storage-class; the first is the default. */
  readonly storageClasses: readonly string[];
  /** Region of the credential scope: must be the bucket's, or one of these, or anything. */
  readonly regions: "own" | "any" | readonly string[];
  /** Default region of the server. */
  readonly region: string;
  /** Answer to a write beyond the quota. */
  readonly overQuota: Refusal;
  /** What "come back later" looks like: used by the `busy` fault and by the request-rate limit. */
  readonly busy: Refusal;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const NOT_IMPLEMENTED = refusalOf("NotImplemented");

const AWS: ProfileRules = {
  conditionalPut: "honoured",
  checksumHeaders: "verified",
  awsChunked: "accepted",
  bodyDigest: "md5-or-checksum",
  missingDigest: {
    status: 400,
    code: "InvalidRequest",
    message: "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
  },
  batchDelete: "accepted",
  maxParts: 10_000,
  tooManyParts: invalidPartNumber(10_000),
  minPartSize: 5 * MIB,
  maxPutSize: 5 * GIB,
  equalParts: false,
  versioning: "optional",
  objectLock: true,
  lifecycle: true,
  kms: true,
  storageClasses: [
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
    "REDUCED_REDUNDANCY",
  ],
  regions: "own",
  region: "eu-central-1",
  overQuota: { status: 403, code: "QuotaExceeded", message: "Your request was denied due to quota exceeded." },
  busy: refusalOf("SlowDown"),
};

/** https://www.backblaze.com/docs/cloud-storage-s3-compatible-api; docs/providers.md 1, 2, 5, 7, 14. */
const B2: ProfileRules = {
  ...AWS,
  conditionalPut: NOT_IMPLEMENTED,
  checksumHeaders: (header) => ({
    status: 400,
    code: "InvalidArgument",
    message: `Unsupported header '${header}' received for this API call.`,
  }),
  awsChunked: () => refusalOf("MalformedTrailerError"),
  bodyDigest: "md5",
  missingDigest: {
    status: 400,
    code: "InvalidRequest",
    message: "Missing required header for this request: Content-MD5",
  },
  versioning: "always",
  kms: false,
  storageClasses: ["STANDARD"],
  region: "us-west-004",
  overQuota: {
    status: 403,
    code: "AccessDenied",
    message: "Cannot upload files, storage cap exceeded. See the Caps & Alerts page to increase your cap.",
  },
  busy: { status: 503, code: "ServiceUnavailable", message: "no tomes available" },
};

/**
 * docs/providers.md 13; chunked bodies: https://github.com/boto/boto3/issues/4102. What it makes of If-None-Match is not
 * documented, so the worst case is played. Its quota is a trial account's.
 */
const WASABI: ProfileRules = {
  ...AWS,
  conditionalPut: "ignored",
  awsChunked: () => refusalOf("IncompleteBody"),
  kms: false,
  storageClasses: ["STANDARD"],
  region: "eu-central-1",
  overQuota: { status: 403, code: "AccessDenied", message: "The account storage limit has been reached." },
};

/** Ceph behind a rate limiter; docs/providers.md 2, 8; chunked bodies: https://github.com/canonical/vault-k8s-operator/issues/825. */
const SPACES: ProfileRules = {
  ...AWS,
  awsChunked: () => refusalOf("MissingContentLength"),
  objectLock: false,
  kms: false,
  storageClasses: ["STANDARD"],
  regions: ["us-east-1", "fra1"],
  region: "us-east-1",
  overQuota: { status: 403, code: "QuotaExceeded", message: "Quota exceeded" },
};

/** https://developers.cloudflare.com/r2/api/s3/api/; docs/providers.md 2, 6. */
const R2: ProfileRules = {
  ...AWS,
  awsChunked: (payloadHash) => ({ status: 501, code: "NotImplemented", message: `${payloadHash} not implemented` }),
  equalParts: true,
  versioning: "none",
  objectLock: false,
  kms: false,
  storageClasses: ["STANDARD", "STANDARD_IA"],
  regions: ["auto", "us-east-1", ""],
  region: "auto",
  overQuota: { status: 403, code: "AccessDenied", message: "Access Denied: the account is over its limit." },
  busy: {
    status: 503,
    code: "ServiceUnavailable",
    message: "Reduce your concurrent request rate for the same object.",
  },
};

const MINIO: ProfileRules = {
  ...AWS,
  storageClasses: ["STANDARD", "REDUCED_REDUNDANCY"],
  regions: "any",
  region: "us-east-1",
  overQuota: { status: 409, code: "XMinioAdminBucketQuotaExceeded", message: "Bucket quota exceeded" },
  busy: {
    status: 503,
    code: "SlowDownWrite",
    message: "Resource requested is unwritable, please reduce your request rate",
  },
};

/** docs/providers.md 2, 6; chunked bodies: https://github.com/benbjohnson/litestream/issues/940. */
const SCALEWAY: ProfileRules = {
  ...AWS,
  awsChunked: () => refusalOf("MissingContentLength"),
  maxParts: 1_000,
  tooManyParts: invalidPartNumber(1_000),
  kms: false,
  storageClasses: ["STANDARD", "ONEZONE_IA", "GLACIER"],
  region: "fr-par",
};

/** Named so that a test says which behaviour it is about. */
export const PROFILES = {
  aws: AWS,
  b2: B2,
  wasabi: WASABI,
  spaces: SPACES,
  r2: R2,
  minio: MINIO,
  scaleway: SCALEWAY,
  /** Self-hosted servers that take no notice of conditions (docs/providers.md 5). */
  "ignores-conditions": { ...MINIO, conditionalPut: "ignored" },
  /** Refuses conditions, otherwise AWS. */
  "refuses-conditions": { ...AWS, conditionalPut: NOT_IMPLEMENTED },
  /** Google Cloud's S3 interface and others: no DeleteObjects at all. */
  "single-deletes": { ...AWS, batchDelete: NOT_IMPLEMENTED },
  /** Takes Content-MD5 as the only proof of a body (docs/providers.md 3 and 4: Scality). */
  "md5-only": {
    ...AWS,
    bodyDigest: "md5",
    missingDigest: {
      status: 400,
      code: "MissingContentMD5",
      message: "Missing required header for this request: Content-MD5.",
    },
    checksumHeaders: (header) => ({ ...NOT_IMPLEMENTED, message: `${NOT_IMPLEMENTED.message}: ${header}` }),
  },
} as const satisfies Record<string, ProfileRules>;

export type S3Profile = keyof typeof PROFILES;

export function isS3Profile(name: string): name is S3Profile {
  return Object.hasOwn(PROFILES, name);
}

function invalidPartNumber(maxParts: number): Refusal {
  return {
    status: 400,
    code: "InvalidArgument",
    message: `Part number must be an integer between 1 and ${maxParts}, inclusive`,
  };
}
