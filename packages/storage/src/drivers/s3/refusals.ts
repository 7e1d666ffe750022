import { isQuotaMessage } from "./quota-message.ts";
import type { S3Failure } from "./wire.ts";

/** Codes of a refusal that is about who asks, when and where; some of them travel with a 400. */
const ABOUT_THE_CALLER = new Set([
  "AccessDenied",
  "AllAccessDisabled",
  "AccountProblem",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "InvalidToken",
  "ExpiredToken",
  "TokenRefreshRequired",
  "RequestTimeTooSkewed",
  "RequestExpired",
  "AuthorizationHeaderMalformed",
  "IncorrectEndpoint",
  "NoSuchBucket",
  "InvalidBucketName",
  "PermanentRedirect",
  "TemporaryRedirect",
]);

/** Codes of a refusal that is about how the bytes travelled, or about what these objects are. */
const ABOUT_THE_BODY = new Set([
  "BadDigest",
  "IncompleteBody",
  "RequestTimeout",
  "EntityTooLarge",
  "EntityTooSmall",
  "InvalidPart",
  "InvalidPartOrder",
  "NoSuchUpload",
  "NoSuchKey",
  "KeyTooLongError",
  "InvalidStorageClass",
  "InvalidObjectState",
  "OperationAborted",
  "ConditionalRequestConflict",
  "PreconditionFailed",
]);

/** Codes of a refusal of what was asked or how, whatever status carries them: some gateways answer 500 or 503 with them. */
const ABOUT_THE_MANNER = new Set([
  "NotImplemented",
  "NotSupported",
  "MethodNotAllowed",
  "UnsupportedOperation",
  "InvalidArgument",
  "InvalidRequest",
  "MalformedXML",
]);

/** Servers have many words for "I do not know these keys". */
const ABOUT_CREDENTIALS = /token|accesskeyid|signaturedoesnotmatch|unrecognizedclient|credential/i;

/** A refusal of who asks, not of what is asked for: other credentials may be let in. */
export function isAboutCredentials({ facts: { status, code } }: S3Failure): boolean {
  if (status === undefined || code === "RequestTimeTooSkewed") return false;
  return status === 401 || ABOUT_CREDENTIALS.test(code);
}

/** The same, or a plain "forbidden", which is how some servers (Ceph's STS) say that a token has lapsed. */
export function mayBeAboutCredentials(error: S3Failure): boolean {
  const { status, code } = error.facts;
  return isAboutCredentials(error) || (status === 403 && code !== "RequestTimeTooSkewed");
}

/** True for an answer that is about rights, clock, place or load: the same would become of the same thing done otherwise. */
export function isAboutCallerOrLoad({ facts: { status, code }, message }: S3Failure): boolean {
  if (status === undefined || ABOUT_THE_CALLER.has(code) || isQuotaMessage(message)) return true;
  if (status === 401 || status === 403 || status === 407 || status === 408 || status === 429) return true;
  if (ABOUT_THE_MANNER.has(code)) return false;
  return (status >= 300 && status < 400) || (status >= 500 && status !== 501 && status !== 505);
}

/**
 * True for a refusal that may be one of how the request was made: a status that says so, and no code that gives another
 * reason.
 */
export function isAboutManner(error: S3Failure): boolean {
  const { status = 0, code } = error.facts;
  if (isAboutCallerOrLoad(error) || ABOUT_THE_BODY.has(code)) return false;
  return [400, 405, 411, 415, 417, 422, 501, 505].includes(status) || (status >= 500 && ABOUT_THE_MANNER.has(code));
}

/** The status that a refusal of one key would have had by itself: within a 200 there is its code alone. */
export function statusOfKeyRefusal(code: string): 400 | 403 | 503 {
  if (/^(?:InternalError|ServiceUnavailable|SlowDown|RequestTimeout|TooManyRequests)/.test(code)) return 503;
  return ABOUT_THE_CALLER.has(code) || /denied|forbidden|unauthori[sz]ed/i.test(code) ? 403 : 400;
}

/** Names the header or the idea of "only if absent". */
function namesCondition({ message }: S3Failure): boolean {
  return /if-none-match|conditional/i.test(message);
}

/** A refusal of "only if absent": 501 by the letter, some servers say 400 and name the header, others only that it is wrong. */
export function isConditionRefused(error: S3Failure): boolean {
  return isAboutManner(error) || (error.facts.status === 400 && namesCondition(error));
}

/** Clear enough to be believed without a second look. */
export function isConditionRefusedForSure(error: S3Failure): boolean {
  const { status, code } = error.facts;
  return status === 501 || code === "NotImplemented" || (status === 400 && namesCondition(error));
}

/** A refusal of the header Content-MD5, not of its value and not of its absence. */
export function isMd5Refused(error: S3Failure): boolean {
  return isAboutManner(error) && /content-?md5/i.test(error.message) && !/missing|require/i.test(error.message);
}

/** 417 by the letter. */
export function isExpectRefused({ facts: { status }, message }: S3Failure): boolean {
  return status === 417 || ((status === 400 || status === 501) && /\bexpect\b|100-continue/i.test(message));
}

/** A refusal of rights, by its status. */
export function isForbidden({ facts: { status } }: S3Failure): boolean {
  return status === 401 || status === 403;
}

/** Says in words that a body has to be signed. */
export function namesPayload({ facts: { code }, message }: S3Failure): boolean {
  return /payload|content-?sha-?256/i.test(`${code} ${message}`);
}

/**
 * A refusal that may be one of UNSIGNED-PAYLOAD. A bucket's policy with a condition on s3:x-amz-content-sha256 gives a
 * plain AccessDenied, and a server that computes the signature from the body takes it for a wrong one.
 */
export function mayRefuseUnsigned(error: S3Failure): boolean {
  const { status, code } = error.facts;
  if (isQuotaMessage(error.message)) return false;
  if (namesPayload(error)) return (status ?? 0) >= 400 && (status ?? 0) < 502;
  if (isForbidden(error)) return !/Token|Skewed|Expired|KeyId|ObjectState/.test(code);
  return (
    isAboutManner(error) &&
    code !== "NotImplemented" &&
    !namesCondition(error) &&
    !isMd5Refused(error) &&
    status !== 417
  );
}
