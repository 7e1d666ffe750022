import type { CallOptions } from "../../object-store.ts";
import { callS3, type S3Context } from "./context.ts";
import { classifyKeyFailure } from "./errors.ts";
import { isS3Failure, S3Failure, type S3Wire } from "./wire.ts";

/** Single removals at once, where there is no batch. */
const SINGLE_REMOVALS_AT_ONCE = 8;

/** Errors by which providers say that they want no batch, or not this one. */
const BATCH_REFUSALS = [
  "NotImplemented",
  "MissingContentMD5",
  "InvalidRequest",
  "MalformedXML",
  "MethodNotAllowed",
  "InvalidDigest",
  "MissingContentLength",
];

/** Removes objects in batches; one by one, from then on, when the provider refuses the batch. */
export async function removeS3(context: S3Context, keys: readonly string[], { signal }: CallOptions): Promise<void> {
  const batchSize = context.settings.provider.deleteBatch;
  for (let start = 0; start < keys.length; start += batchSize) {
    const batch = keys.slice(start, start + batchSize);
    const rest = batch.length > 1 && context.learned.batchDelete ? await removeBatch(context, batch, signal) : batch;
    await removeEach(context, rest, signal);
  }
}

/**
 * Returns the keys that are still to be removed: all, when the provider refuses batches, and those that it did not
 * confirm. A server whose XML reader trims spaces removes another key than the one it was given, and reports success.
 */
async function removeBatch(
  context: S3Context,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const action = `remove ${keys.length} objects from '${context.nameOf("")}'`;
  return await callS3(context, { action, signal }, async (wire) => {
    try {
      const { removed, failures } = await wire.deleteObjects({ keys, signal });
      for (const { key, code, message } of failures) {
        if (code === "NoSuchKey" || code === "NoSuchVersion") continue;
        throw classifyKeyFailure(code, message, {
          settings: context.settings,
          action: `remove '${context.nameOf(key)}'`,
          key,
        });
      }
      const confirmed = new Set(removed);
      return keys.filter((key) => !confirmed.has(key));
    } catch (error) {
      if (!isBatchRefused(error)) throw error;
      context.learned.batchDelete = false;
      context.onEvent({ type: "batch-delete-refused", fact: error.message });
      return keys;
    }
  });
}

function isBatchRefused(error: unknown): error is S3Failure {
  return isS3Failure(error, 501, ...BATCH_REFUSALS) || isS3Failure(error, 405);
}

async function removeEach(context: S3Context, keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const rest = [...keys];
  const removeRest = async (): Promise<void> => {
    for (let key = rest.shift(); key !== undefined; key = rest.shift()) await removeOne(context, key, signal);
  };
  const outcomes = await Promise.allSettled(
    Array.from({ length: Math.min(SINGLE_REMOVALS_AT_ONCE, keys.length) }, removeRest),
  );
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

async function removeOne(context: S3Context, key: string, signal: AbortSignal | undefined): Promise<void> {
  const call = { action: `remove '${context.nameOf(key)}'`, key, signal };
  await callS3(context, call, (wire) => removeThrough(context, wire, key, signal));
}

async function removeThrough(
  context: S3Context,
  wire: S3Wire,
  key: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await wire.deleteObject({ key, signal });
  } catch (error) {
    // NoSuchKey: some servers do not keep to S3's rule that removing what is not there succeeds.
    if (isS3Failure(error, 0, "NoSuchKey")) return;
    if (isS3Failure(error, 403))
      throw classifyKeyFailure(error.facts.code, error.message, {
        settings: context.settings,
        action: `remove '${context.nameOf(key)}'`,
        key,
      });
    throw error;
  }
}
