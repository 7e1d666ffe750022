import { type ErrorCode, isSoarError, SoarError } from "@soar/errors";
import { S3Failure, type S3FailureFacts } from "./wire.ts";
import type { S3Settings } from "./settings.ts";
import { findNetworkMeaning } from "./network-errors.ts";

/** What one failed request was about, for the message. */
export interface S3Context {
  readonly settings: Pick<S3Settings, "bucket" | "endpoint" | "region" | "provider">;
  /** Completes "unable to ...", with the object's full name. */
  readonly action: string;
  readonly key?: string | undefined;
}

export interface FailureMeaning {
  readonly code: ErrorCode;
  readonly fact: string;
  readonly hint?: string | undefined;
  readonly retryable?: boolean | undefined;
}

type MeaningRow = (facts: S3FailureFacts, context: S3Context, message: string) => FailureMeaning;

const denied =
  (fact: string, hint: string): MeaningRow =>
  () => ({ code: "STORE_DENIED", fact, hint });

const busy: MeaningRow = (facts, { settings }) => ({
  code: "STORE_BUSY",
  fact: `${settings.provider.title} answered ${describe(facts)}`,
  hint: settings.provider.retryAdvice,
});

const damaged: MeaningRow = (facts) => ({
  code: "STORE_PROTOCOL",
  fact: `the bytes that arrived were not those that were sent (${describe(facts)})`,
  hint: "Something between this machine and the provider changes data; if it persists, check proxies and memory.",
  retryable: true,
});

const wrongRegion: MeaningRow = (facts, { settings }) => ({
  code: "CONFIG_INVALID",
  fact:
    facts.region === undefined
      ? `the bucket is at another endpoint (${describe(facts)})`
      : `the bucket is in region '${facts.region}', not '${settings.region}'`,
  hint:
    facts.region === undefined
      ? "Set the endpoint and the region (AWS_ENDPOINT_URL, AWS_DEFAULT_REGION) to those of the bucket."
      : `Set the region to '${facts.region}' (AWS_DEFAULT_REGION)${settings.provider.name === "aws" ? "" : ", and the endpoint to the one of that region"}.`,
});

/** S3's error codes. Providers mostly keep to them; where they do not, the message or the status decides below. */
const MEANINGS: Readonly<Record<string, MeaningRow>> = {
  NoSuchBucket: (_facts, { settings }) => bucketMissing(settings.bucket, settings.endpoint),
  NoSuchKey: () => ({ code: "OBJECT_MISSING", fact: "there is no such object" }),
  NoSuchUpload: () => ({ code: "STORE_PROTOCOL", fact: "the upload was completed or aborted before" }),
  PreconditionFailed: () => ({ code: "OBJECT_EXISTS", fact: "there is an object of this name already" }),
  InvalidObjectState: (_facts, context) => archived(context),
  AccessDenied: denied(
    "access is denied",
    "Give this key the permissions that the documentation lists for its task (read, write, list; delete only for expiry).",
  ),
  AllAccessDisabled: denied("all access is disabled", "Ask the provider about the state of the account."),
  AccountProblem: denied("the account has a problem", "Ask the provider about the state of the account."),
  InvalidAccessKeyId: denied(
    "the provider does not know the access key",
    "Check AWS_ACCESS_KEY_ID, and that it belongs to this endpoint.",
  ),
  SignatureDoesNotMatch: denied(
    "the secret key does not belong to the access key",
    "Check AWS_SECRET_ACCESS_KEY for missing or additional characters.",
  ),
  InvalidToken: denied("the session token is not valid", "Get new temporary credentials, or remove AWS_SESSION_TOKEN."),
  ExpiredToken: denied(
    "the session token has expired",
    "Get new temporary credentials, or use a role that renews them.",
  ),
  CredentialsProviderError: denied(
    "no credentials were found",
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role.",
  ),
  RequestTimeTooSkewed: (_facts) => ({
    code: "CLOCK_SKEWED",
    fact: "the clock of this machine differs by more than 15 minutes from the provider's",
    hint: "Synchronise the clock (timedatectl set-ntp true), and check it with 'timedatectl'.",
  }),
  RequestTimeout: (facts) => ({
    code: "STORE_UNREACHABLE",
    fact: `the connection was too slow for the provider (${describe(facts)})`,
  }),
  PermanentRedirect: wrongRegion,
  TemporaryRedirect: (facts) => ({
    code: "STORE_BUSY",
    fact: `the provider is moving the bucket (${describe(facts)})`,
  }),
  AuthorizationHeaderMalformed: wrongRegion,
  IncorrectEndpoint: wrongRegion,
  BadDigest: damaged,
  InvalidDigest: damaged,
  XAmzContentSHA256Mismatch: damaged,
  IncompleteBody: damaged,
  OperationAborted: busy,
  ConditionalRequestConflict: busy,
  SlowDown: busy,
  ServiceUnavailable: busy,
  InternalError: busy,
  NotImplemented: (facts, { settings }, message) => ({
    code: "STORE_UNSUPPORTED",
    fact: `${settings.provider.title} does not support it (${describe(facts)}: ${message})`,
  }),
  QuotaExceeded: (_facts, _context, message) => quotaExceeded(message),
  XMinioAdminBucketQuotaExceeded: (_facts, _context, message) => quotaExceeded(message),
  XMinioStorageFull: (_facts, _context, message) => quotaExceeded(message),
  // MinIO keeps objects in files and can hold no key that is the directory of another.
  XMinioParentIsObject: () => ({
    code: "STORE_UNSUPPORTED",
    fact: "an object has the name of a directory that would be needed",
  }),
  XMinioObjectExistsAsDirectory: () => ({
    code: "STORE_UNSUPPORTED",
    fact: "a directory has this name, because other keys begin with it",
  }),
  InvalidStorageClass: () => ({
    code: "CONFIG_INVALID",
    fact: "the provider does not know the storage class",
    hint: "Set another storage class, or none.",
  }),
  InvalidBucketName: (_facts, { settings }) => ({
    code: "CONFIG_INVALID",
    fact: `'${settings.bucket}' is no name of a bucket`,
    hint: "Check BACKUP_BUCKET.",
  }),
};

const QUOTA_MESSAGE = /quota|cap exceeded|storage (?:cap|limit)|over its limit|spending limit|usage limit/i;
const LOCK_MESSAGE = /object.?lock|worm|retention|legal hold|governance|compliance mode/i;

/** Decides what a failed request means to the caller. Errors that are not about a request are handed on. */
export function classifyS3Failure(error: unknown, context: S3Context): unknown {
  if (isSoarError(error) || !(error instanceof S3Failure)) return error;
  const meaning = findMeaning(error, context);
  return new SoarError(meaning.code, `unable to ${context.action}: ${meaning.fact}`, {
    hint: meaning.hint,
    retryable: meaning.retryable,
    cause: error,
  });
}

function findMeaning(error: S3Failure, context: S3Context): FailureMeaning {
  const { facts, message } = error;
  if (facts.status === undefined) {
    const row = MEANINGS[facts.code];
    return row?.(facts, context, message) ?? findNetworkMeaning(facts.code, message, context.settings);
  }
  if (facts.status >= 400 && QUOTA_MESSAGE.test(message)) return quotaExceeded(message);
  if (facts.status >= 400 && facts.code.startsWith("KMS.")) {
    return {
      code: "STORE_DENIED",
      fact: `the encryption key cannot be used (${message})`,
      hint: "Check the key id, its region, and the permission kms:GenerateDataKey and kms:Decrypt.",
    };
  }
  return MEANINGS[facts.code]?.(facts, context, message) ?? meaningOfStatus(facts, context, message);
}

function meaningOfStatus(facts: S3FailureFacts, context: S3Context, message: string): FailureMeaning {
  const status = facts.status ?? 0;
  if (status === 301 || (facts.region !== undefined && facts.region !== context.settings.region))
    return wrongRegion(facts, context, message);
  if (status >= 200 && status < 300)
    return { code: "STORE_PROTOCOL", fact: `the answer cannot be read (${message})`, hint: notS3(context) };
  if (status === 401 || status === 403)
    return {
      code: "STORE_DENIED",
      fact: `the provider refused it (${describe(facts)}: ${message})`,
      hint: "Check the keys, their permissions and the bucket policy.",
    };
  if (status === 404)
    return {
      code: context.key === undefined ? "STORE_PROTOCOL" : "OBJECT_MISSING",
      fact: `there is no such thing (${describe(facts)})`,
      hint: notS3(context),
    };
  if (status === 408)
    return { code: "STORE_UNREACHABLE", fact: `the request took too long for the provider (${describe(facts)})` };
  if (status === 412) return { code: "OBJECT_EXISTS", fact: "there is an object of this name already" };
  if (status === 429 || (status >= 500 && status !== 501 && status !== 505)) return busy(facts, context, message);
  if (status === 501 || status === 405)
    return {
      code: "STORE_UNSUPPORTED",
      fact: `${context.settings.provider.title} does not support it (${describe(facts)}: ${message})`,
    };
  return {
    code: "STORE_PROTOCOL",
    fact: `${context.settings.provider.title} answered ${describe(facts)}: ${message}`,
    hint: notS3(context),
  };
}

/** What a failure inside of a 200 means: DeleteObjects reports each key by itself. */
export function classifyKeyFailure(code: string, message: string, context: S3Context): SoarError {
  if (LOCK_MESSAGE.test(message) || /lock/i.test(code)) {
    return new SoarError(
      "OBJECT_LOCKED",
      `unable to ${context.action}: it is protected until its retention ends (${code}: ${message})`,
      {
        hint: "Wait until the retention ends; expiry tries again then.",
      },
    );
  }
  const failure = classifyS3Failure(
    new S3Failure(message, {
      status: code === "InternalError" || code === "SlowDown" || code === "ServiceUnavailable" ? 503 : 403,
      code,
    }),
    context,
  );
  return isSoarError(failure)
    ? failure
    : new SoarError("STORE_PROTOCOL", `unable to ${context.action}: ${code}`, { cause: failure });
}

/** The failure of a bucket that is not there. */
export function bucketMissing(bucket: string, endpoint: string): FailureMeaning {
  return {
    code: "BUCKET_MISSING",
    fact: `there is no bucket '${bucket}' at ${endpoint}`,
    hint: `Check the name and the endpoint, or create it: aws s3api create-bucket --bucket ${bucket} --endpoint-url ${endpoint}`,
  };
}

function archived({ settings, key = "" }: S3Context): FailureMeaning {
  const endpoint =
    settings.provider.name === "aws" ? `--region ${settings.region}` : `--endpoint-url ${settings.endpoint}`;
  const request = `'{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}'`;
  return {
    code: "OBJECT_ARCHIVED",
    fact: "it lies in an archive storage class and cannot be read before it is thawed",
    hint: `Thaw it (hours) and try again: aws s3api restore-object ${endpoint} --bucket ${settings.bucket} --key ${quoteForShell(key)} --restore-request ${request}`,
  };
}

function quotaExceeded(message: string): FailureMeaning {
  return {
    code: "STORE_QUOTA",
    fact: `the storage is full or over its limit (${message})`,
    hint: "Raise the limit at the provider, or remove what is not needed; nothing was overwritten.",
  };
}

function notS3({ settings }: S3Context): string {
  return `Check that ${settings.endpoint} is the S3 endpoint of the provider, not its console, another API or a proxy.`;
}

function describe({ status, code, requestId }: S3FailureFacts): string {
  const id = requestId === undefined ? "" : `, request ${requestId}`;
  return `${status === undefined ? "" : `${status} `}${code}${id}`;
}

function quoteForShell(text: string): string {
  return /^[\w./=:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
