import { refusalOf, type Refusal, type S3ErrorCode } from "./s3-error.ts";

/** What an upload says that is no more. */
export interface EndedUploadRules {
  readonly complete: Refusal;
  readonly abort: Refusal;
  /** Some servers take the part, and say that all is well. */
  readonly part: "accepted" | Refusal;
  /** Completing again what was completed: 200 once more, or as for any upload that has ended. */
  readonly again: "answered" | "refused";
  /** How the ETag is written into the answer to the first completion, and to a repeated one. */
  readonly etags: readonly [first: EtagForm, again: EtagForm];
}

/** `other`: one that is on no object, as where something between computes its own. */
export type EtagForm = "quoted" | "plain" | "empty" | "other";

/**
 * What a provider does differently. One row per provider in `profiles.ts`; `startS3Server({ rules })` overrides single fields,
 * for example `{ minPartSize: 1024 }` to keep test data small. Sources are named by their number in docs/providers.md.
 */
export interface ProfileRules {
  /** `If-None-Match: *` on writes: decided atomically (412), answered with a refusal, or silently overlooked. */
  readonly conditionalPut: "honoured" | "ignored" | Refusal;
  /** The same when an upload in parts is completed. */
  readonly conditionalComplete: "honoured" | "ignored" | Refusal;
  /** Answer to completing an upload whose condition does not hold. */
  readonly completionPrecondition: Refusal;
  /**
   * Whether the condition of a PUT is looked at again with its last byte, or only when it begins: then both of two
   * overlapping PUTs succeed, and the object of the one that began last stays.
   */
  readonly conditionJudged: "at-end" | "at-begin";
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
  /** Content-MD5: compared, taken unseen, or refused. */
  readonly contentMd5: "verified" | "unchecked" | Refusal;
  /** PUT with `x-amz-content-sha256: UNSIGNED-PAYLOAD`, which an endpoint or a bucket's policy may refuse. */
  readonly unsignedPayload: "accepted" | Refusal;
  /** `Expect: 100-continue`: answered by "100 Continue" or a refusal, overlooked, or refused itself (417). */
  readonly expectContinue: "answered" | "ignored" | Refusal;
  /** Order of listings: by the bytes of keys, directory by directory, or a stable one that has nothing to do with keys. */
  readonly listingOrder: "keys" | "directories" | "other";
  /** Answers to what is sent to an upload that was completed or aborted. */
  readonly endedUpload: EndedUploadRules;
  /** Lists of unfinished uploads: as they are, or always empty. */
  readonly uploadListing: "kept" | "empty";
  /** The mark of an object that was uploaded as one part: a digest of digests like any upload's, or the part's own. */
  readonly onePartEtag: "digest" | "part";
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
  /** Answer to an access key that nobody has. */
  readonly unknownKey: S3ErrorCode;
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
export const NOT_IMPLEMENTED = refusalOf("NotImplemented");

/** The strictest of them, and what the others are told by. */
export const AWS: ProfileRules = {
  conditionalPut: "honoured",
  conditionalComplete: "honoured",
  completionPrecondition: refusalOf("PreconditionFailed"),
  conditionJudged: "at-end",
  checksumHeaders: "verified",
  awsChunked: "accepted",
  bodyDigest: "md5-or-checksum",
  missingDigest: {
    status: 400,
    code: "InvalidRequest",
    message: "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
  },
  batchDelete: "accepted",
  contentMd5: "verified",
  unsignedPayload: "accepted",
  expectContinue: "answered",
  listingOrder: "keys",
  endedUpload: {
    complete: refusalOf("NoSuchUpload"),
    abort: refusalOf("NoSuchUpload"),
    part: refusalOf("NoSuchUpload"),
    again: "refused",
    etags: ["quoted", "quoted"],
  },
  uploadListing: "kept",
  onePartEtag: "digest",
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
  unknownKey: "InvalidAccessKeyId",
  regions: "own",
  region: "eu-central-1",
  overQuota: { status: 403, code: "QuotaExceeded", message: "Your request was denied due to quota exceeded." },
  busy: refusalOf("SlowDown"),
};

/** How AWS words a part number that is too large. */
export function invalidPartNumber(maxParts: number): Refusal {
  return {
    status: 400,
    code: "InvalidArgument",
    message: `Part number must be an integer between 1 and ${maxParts}, inclusive`,
  };
}
