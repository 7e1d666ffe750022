import type { CallOptions } from "../../object-store.ts";
import { callS3, type S3Context } from "./context.ts";
import { eitherWay, type TwoWays } from "./either-way.ts";
import { classifyRemoval } from "./errors.ts";
import type { S3FailureContext } from "./failure-meaning.ts";
import { isAboutCallerOrLoad, statusOfKeyRefusal } from "./refusals.ts";
import { isS3Failure, S3Failure, type S3Wire } from "./wire.ts";

/** Single removals at once, where there is no batch. */
const SINGLE_REMOVALS_AT_ONCE = 8;

/** Any refusal but one of rights or load is taken for one of batches: providers have no common word for it. */
const IN_BATCHES: TwoWays<"batchDelete"> = {
  habit: "batchDelete",
  other: "refused",
  isRefusal: (error) => !isAboutCallerOrLoad(error),
};

/** Removes objects in batches; one by one, from then on, when the provider refuses the batch. */
export async function removeS3(context: S3Context, keys: readonly string[], { signal }: CallOptions): Promise<void> {
  const batchSize = Math.max(1, context.settings.provider.deleteBatch);
  for (let start = 0; start < keys.length; start += batchSize) {
    const batch = keys.slice(start, start + batchSize);
    if (batch.length === 1) await removeEach(context, batch, signal);
    else await removeSeveral(context, batch, signal);
  }
}

async function removeSeveral(
  context: S3Context,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const action = `remove ${keys.length} objects from '${context.nameOf("")}'`;
  await callS3(context, { action, signal }, (wire) =>
    eitherWay(context.habits, IN_BATCHES, async (way) => {
      const rest = way === "taken" ? await removeBatch(context, wire, keys, signal) : keys;
      await removeEach(context, rest, signal);
    }),
  );
}

/**
 * Returns the keys that are still to be removed: those that the provider did not confirm, or gave another reason for than
 * rights and load. A server whose XML reader trims spaces removes another key than the one it was given, and reports success.
 */
async function removeBatch(
  context: S3Context,
  wire: S3Wire,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const { removed, failures } = await wire.deleteObjects({ keys, signal });
  const refusals: S3Failure[] = [];
  for (const { key, code, message } of failures) {
    if (code === "NoSuchKey" || code === "NoSuchVersion") continue;
    const refusal = new S3Failure(message, { status: statusOfKeyRefusal(code), code });
    const failure = classifyRemoval(refusal, contextOf(context, key));
    if (failure.code !== "STORE_UNSUPPORTED" && failure.code !== "STORE_PROTOCOL") throw failure;
    refusals.push(refusal);
  }
  // A server may say to each key by itself that it knows no batches.
  if (refusals[0] !== undefined && refusals.length === keys.length) throw refusals[0];
  const confirmed = new Set(removed);
  return keys.filter((key) => !confirmed.has(key));
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
    throw isS3Failure(error, 403) ? classifyRemoval(error, contextOf(context, key)) : error;
  }
}

function contextOf({ settings, nameOf }: S3Context, key: string): S3FailureContext {
  return { settings, action: `remove '${nameOf(key)}'`, key };
}
