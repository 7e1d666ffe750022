import { AWS, invalidPartNumber, NOT_IMPLEMENTED, type ProfileRules } from "./profile-rules.ts";
import { refusalOf } from "./s3-error.ts";
import { SEEN_SERVERS } from "./seen-servers.ts";

/** https://www.backblaze.com/docs/cloud-storage-s3-compatible-api; docs/providers.md 1, 2, 5, 7, 14. */
const B2: ProfileRules = {
  ...AWS,
  conditionalPut: NOT_IMPLEMENTED,
  conditionalComplete: NOT_IMPLEMENTED,
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
  conditionalComplete: "ignored",
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
  ...SEEN_SERVERS,
  /** Self-hosted servers that take no notice of conditions (docs/providers.md 5). */
  "ignores-conditions": { ...MINIO, conditionalPut: "ignored", conditionalComplete: "ignored" },
  /** The same, and answers a completion with a mark that the object does not have afterwards. */
  "other-marks": {
    ...MINIO,
    conditionalPut: "ignored",
    conditionalComplete: "ignored",
    endedUpload: { ...AWS.endedUpload, etags: ["other", "other"] },
  },
  /** Refuses conditions, otherwise AWS. */
  "refuses-conditions": { ...AWS, conditionalPut: NOT_IMPLEMENTED, conditionalComplete: NOT_IMPLEMENTED },
  /** No DeleteObjects at all. */
  "single-deletes": { ...AWS, batchDelete: NOT_IMPLEMENTED },
  /** The same as Google Cloud's S3 interface words it. */
  google: { ...AWS, batchDelete: { status: 400, code: "InvalidArgument", message: "Invalid argument." } },
  /** A bucket's policy with a condition on s3:x-amz-content-sha256. */
  "signed-payload": { ...AWS, unsignedPayload: refusalOf("AccessDenied") },
  /** Refuses Content-MD5, and takes the signed digest of a body instead. */
  "no-md5": {
    ...AWS,
    bodyDigest: "none",
    contentMd5: { status: 501, code: "NotImplemented", message: "Content-MD5 is not supported" },
  },
  /** A proxy in front that does not know `Expect`. */
  "refuses-expect": {
    ...AWS,
    expectContinue: { status: 417, code: "ExpectationFailed", message: "Expectation Failed" },
  },
  /** A proxy in front that takes no notice of `Expect`. */
  "ignores-expect": { ...AWS, expectContinue: "ignored" },
  /** Lists in an order of its own, as directory buckets do; the order is stable. */
  "unordered-listing": { ...AWS, listingOrder: "other" },
  /** Lists directory by directory, as servers on a file system do: `a/x` before `a-x`. */
  "listed-by-directory": { ...AWS, listingOrder: "directories" },
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
