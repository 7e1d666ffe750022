import { quoteForShell } from "@soar/programs";
import type { FailureMeaning, S3FailureContext } from "./failure-meaning.ts";
import type { NamedSetting } from "../../store-config.ts";
import type { S3FailureFacts } from "./wire.ts";

type MeaningRow = (facts: S3FailureFacts, context: S3FailureContext, message: string) => FailureMeaning;

const denied =
  (fact: string, hint: string | ((nameOf: (setting: NamedSetting) => string) => string)): MeaningRow =>
  (_facts, { settings }) => ({
    code: "STORE_DENIED",
    fact,
    hint: typeof hint === "string" ? hint : hint(settings.nameOf),
  });

export const busy: MeaningRow = (facts, { settings }) => ({
  code: "STORE_BUSY",
  fact: `${settings.provider.title} answered ${describeFacts(facts)}`,
  hint: settings.provider.retryAdvice,
});

const damaged: MeaningRow = (facts) => ({
  code: "STORE_PROTOCOL",
  fact: `the bytes that arrived were not those that were sent (${describeFacts(facts)})`,
  hint: "Something between this machine and the provider changes data; if it persists, check proxies and memory.",
  retryable: true,
});

export const wrongRegion: MeaningRow = (facts, { settings }) => ({
  code: "CONFIG_INVALID",
  fact:
    facts.region === undefined
      ? `the bucket is at another endpoint (${describeFacts(facts)})`
      : `the bucket is in region '${facts.region}', not '${settings.region}'`,
  hint:
    facts.region === undefined
      ? `Set the endpoint and the region (${settings.nameOf("endpoint")}, ${settings.nameOf("region")}) to those of the bucket.`
      : `Set the region to '${facts.region}' (${settings.nameOf("region")})${settings.provider.name === "aws" ? "" : ", and the endpoint to the one of that region"}.`,
});

const unsupported: MeaningRow = (facts, { settings }, message) => ({
  code: "STORE_UNSUPPORTED",
  fact: `${settings.provider.title} does not support it (${describeFacts(facts)}: ${message})`,
});

/** S3's error codes. Providers mostly keep to them; where they do not, the message or the status decides below. */
export const MEANINGS: Readonly<Record<string, MeaningRow>> = {
  NoSuchBucket: (_facts, { settings }) => bucketMissing(settings.bucket, settings.endpoint),
  NoSuchKey: () => ({ code: "OBJECT_MISSING", fact: "there is no such object" }),
  NoSuchUpload: () => ({ code: "STORE_PROTOCOL", fact: "the upload was completed or aborted before" }),
  PreconditionFailed: () => ({ code: "OBJECT_EXISTS", fact: "there is an object of this name already" }),
  InvalidObjectState: (_facts, context) => archived(context),
  AccessDenied: ({ triedOtherwise = [] }) => ({
    code: "STORE_DENIED",
    fact: "access is denied",
    hint: [
      "Give this key the permissions that the documentation lists for its task (read, write, list; delete only for expiry).",
      ...(triedOtherwise.includes("payloadSignature")
        ? [
            "A policy's condition on s3:x-amz-content-sha256 is not the reason, for the body was signed, too; others are s3:x-amz-server-side-encryption, aws:SourceIp and aws:SecureTransport.",
          ]
        : []),
    ].join(" "),
  }),
  AllAccessDisabled: denied("all access is disabled", "Ask the provider about the state of the account."),
  AccountProblem: denied("the account has a problem", "Ask the provider about the state of the account."),
  InvalidAccessKeyId: denied(
    "the provider does not know the access key",
    (nameOf) => `Check ${nameOf("accessKeyId")}, and that it belongs to this endpoint.`,
  ),
  SignatureDoesNotMatch: denied(
    "the secret key does not belong to the access key",
    (nameOf) => `Check ${nameOf("secretAccessKey")} for missing or additional characters.`,
  ),
  InvalidToken: denied(
    "the session token is not valid",
    (nameOf) => `Get new temporary credentials, or remove ${nameOf("sessionToken")}.`,
  ),
  ExpiredToken: denied(
    "the session token has expired",
    "Get new temporary credentials, or use a role that renews them.",
  ),
  CredentialsProviderError: denied(
    "no credentials were found",
    (nameOf) => `Set ${nameOf("accessKeyId")} and ${nameOf("secretAccessKey")}, or give this machine a role.`,
  ),
  CredentialsUnreadable: (_facts, _context, message) => ({
    code: "STORE_DENIED",
    fact: `no credentials can be had (${message})`,
    hint: "Check what gives them: profile files, credential_process, the token file, or the role.",
  }),
  CredentialsUnavailable: (_facts, _context, message) => ({
    code: "STORE_UNREACHABLE",
    fact: `what gives the credentials cannot be reached (${message})`,
    hint: "Check the service that gives them (STS, SSO, container or machine metadata) and the way there.",
  }),
  CredentialsNotRenewed: (_facts, _context, message) => ({
    code: "STORE_UNREACHABLE",
    fact: `the credentials that worked until now were not renewed (${message})`,
    hint: "Check what renews them; requests go on by themselves once it has.",
  }),
  RequestTimeTooSkewed: (_facts) => ({
    code: "CLOCK_SKEWED",
    fact: "the clock of this machine differs by more than 15 minutes from the provider's",
    hint: "Synchronise the clock (timedatectl set-ntp true), and check it with 'timedatectl'.",
  }),
  RequestTimeout: (facts) => ({
    code: "STORE_UNREACHABLE",
    fact: `the connection was too slow for the provider (${describeFacts(facts)})`,
  }),
  PermanentRedirect: wrongRegion,
  TemporaryRedirect: (facts) => ({
    code: "STORE_BUSY",
    fact: `the provider is moving the bucket (${describeFacts(facts)})`,
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
  NotImplemented: unsupported,
  MethodNotAllowed: unsupported,
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
    hint: `Check ${settings.nameOf("url")}.`,
  }),
};

/** The failure of a bucket that is not there. */
export function bucketMissing(bucket: string, endpoint: string): FailureMeaning {
  return {
    code: "BUCKET_MISSING",
    fact: `there is no bucket '${bucket}' at ${endpoint}`,
    hint: `Check the name and the endpoint, or create it: aws s3api create-bucket --bucket ${bucket} --endpoint-url ${endpoint}`,
  };
}

function archived({ settings, key = "" }: S3FailureContext): FailureMeaning {
  const endpoint =
    settings.provider.name === "aws" ? ["--region", settings.region] : ["--endpoint-url", settings.endpoint];
  const request = `'{"Days":7,"GlacierJobParameters":{"Tier":"Standard"}}'`;
  return {
    code: "OBJECT_ARCHIVED",
    fact: "it lies in an archive storage class and cannot be read before it is thawed",
    hint: `Thaw it (hours) and try again: aws s3api restore-object ${endpoint.join(" ")} --bucket ${settings.bucket} --key ${quoteForShell(key)} --restore-request ${request}`,
  };
}

export function quotaExceeded(message: string): FailureMeaning {
  return {
    code: "STORE_QUOTA",
    fact: `the storage is full or over its limit (${message})`,
    hint: "Raise the limit at the provider, or remove what is not needed; nothing was overwritten.",
  };
}

/** Status, code and request id of a failure, for messages. */
export function describeFacts({ status, code, requestId }: S3FailureFacts): string {
  const id = requestId === undefined ? "" : `, request ${requestId}`;
  return `${status === undefined ? "" : `${status} `}${code}${id}`;
}
