import { isSoarError, SoarError } from "@soar/errors";
import { busy, describeFacts, MEANINGS, quotaExceeded, wrongRegion } from "./error-meanings.ts";
import type { FailureMeaning, S3FailureContext } from "./failure-meaning.ts";
import { findNetworkMeaning } from "./network-errors.ts";
import { isQuotaMessage } from "./quota-message.ts";
import { S3Failure, type S3FailureFacts } from "./wire.ts";

const LOCK_MESSAGE = /object.?lock|worm|retention|legal hold|governance|compliance mode/i;

/** Decides what a failed request means to the caller. Errors that are not about a request are handed on. */
export function classifyS3Failure(error: unknown, context: S3FailureContext): unknown {
  if (isSoarError(error) || !(error instanceof S3Failure)) return error;
  const meaning = findMeaning(error, context);
  return new SoarError(meaning.code, `unable to ${context.action}: ${meaning.fact}`, {
    hint: meaning.hint,
    retryable: meaning.retryable,
    cause: error,
  });
}

function findMeaning(error: S3Failure, context: S3FailureContext): FailureMeaning {
  const { facts, message } = error;
  if (facts.status === undefined) {
    const row = MEANINGS[facts.code];
    return row?.(facts, context, message) ?? findNetworkMeaning(facts.code, message, context.settings);
  }
  if (facts.status >= 400 && isQuotaMessage(message)) return quotaExceeded(message);
  if (facts.status >= 400 && facts.code.startsWith("KMS.")) {
    return {
      code: "STORE_DENIED",
      fact: `the encryption key cannot be used (${message})`,
      hint: "Check the key id, its region, and the permission kms:GenerateDataKey and kms:Decrypt.",
    };
  }
  return MEANINGS[facts.code]?.(facts, context, message) ?? meaningOfStatus(facts, context, message);
}

function meaningOfStatus(facts: S3FailureFacts, context: S3FailureContext, message: string): FailureMeaning {
  const status = facts.status ?? 0;
  if (status === 301 || (facts.region !== undefined && facts.region !== context.settings.region))
    return wrongRegion(facts, context, message);
  if (status >= 200 && status < 300)
    return { code: "STORE_PROTOCOL", fact: `the answer cannot be read (${message})`, hint: notS3(context) };
  if (status === 407)
    return {
      code: "STORE_DENIED",
      fact: `a proxy wants to know who asks (${describeFacts(facts)})`,
      hint: `Write user and password into the proxy's address (${context.settings.nameOf("proxy")}).`,
    };
  if (status === 401 || status === 403)
    return {
      code: "STORE_DENIED",
      fact: `the provider refused it (${describeFacts(facts)}: ${message})`,
      hint: "Check the keys, their permissions and the bucket policy.",
    };
  if (status === 404)
    return {
      code: context.key === undefined ? "STORE_PROTOCOL" : "OBJECT_MISSING",
      fact: `there is no such thing (${describeFacts(facts)})`,
      hint: notS3(context),
    };
  if (status === 408)
    return { code: "STORE_UNREACHABLE", fact: `the request took too long for the provider (${describeFacts(facts)})` };
  if (status === 412) return { code: "OBJECT_EXISTS", fact: "there is an object of this name already" };
  if (status === 429 || (status >= 500 && status !== 501 && status !== 505)) return busy(facts, context, message);
  if (status === 501 || status === 405)
    return {
      code: "STORE_UNSUPPORTED",
      fact: `${context.settings.provider.title} does not support it (${describeFacts(facts)}: ${message})`,
    };
  return {
    code: "STORE_PROTOCOL",
    fact: `${context.settings.provider.title} answered ${describeFacts(facts)}: ${message}`,
    hint: notS3(context),
  };
}

/** What the refusal of one key's removal means, by itself or inside of a 200: DeleteObjects reports each key. */
export function classifyRemoval(error: S3Failure, context: S3FailureContext): SoarError {
  const { message, facts } = error;
  const { code } = facts;
  if (LOCK_MESSAGE.test(message) || /lock/i.test(code)) {
    return new SoarError(
      "OBJECT_LOCKED",
      `unable to ${context.action}: it is protected until its retention ends (${code}: ${message})`,
      {
        hint: "Wait until the retention ends; expiry tries again then.",
      },
    );
  }
  const failure = classifyS3Failure(error, context);
  return isSoarError(failure)
    ? failure
    : new SoarError("STORE_PROTOCOL", `unable to ${context.action}: ${code}`, { cause: failure });
}

function notS3({ settings }: S3FailureContext): string {
  return `Check that ${settings.endpoint} is the S3 endpoint of the provider, not its console, another API or a proxy.`;
}
