import { SoarError } from "@soar/errors";
import { abortedError } from "../../abort-signal.ts";
import type { ConditionalPut, StoredObject, StoreFeatures } from "../../object-store.ts";
import type { StoreEvent } from "../../store-event.ts";
import { bucketMissing } from "./error-meanings.ts";
import { classifyS3Failure } from "./errors.ts";
import type { S3Settings } from "./settings.ts";
import { isS3Failure, type S3Wire, type WireFacts } from "./wire.ts";

/** What the parts of the S3 driver share. */
export interface S3Context {
  readonly settings: S3Settings;
  readonly features: StoreFeatures;
  /** Loads the SDK with the first call: opening a store, and programs that never use it, do not pay for it. */
  readonly wire: () => Promise<S3Wire>;
  readonly onEvent: (event: StoreEvent) => void;
  /** What this store found out while it ran. */
  readonly learned: { conditionalPut: ConditionalPut; batchDelete: boolean; bucketSeen: boolean };
  readonly nameOf: (key: string) => string;
}

export interface S3Call {
  /** Completes "unable to ...", with the object's full name. */
  readonly action: string;
  readonly key?: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Does something through the wire; its failures become those of the contract. */
export async function callS3<T>(context: S3Context, call: S3Call, run: (wire: S3Wire) => Promise<T>): Promise<T> {
  try {
    if (call.signal?.aborted) throw abortedError(call.signal, call.action);
    return await run(await context.wire());
  } catch (error) {
    throw meaningOf(context, call, error);
  }
}

/** The caller's own abort shows up as some broken connection; everything else is what the tables say. */
export function meaningOf({ settings }: S3Context, { action, key, signal }: S3Call, error: unknown): unknown {
  if (signal?.aborted) return abortedError(signal, action);
  return classifyS3Failure(error, { settings, action, key });
}

/** Remembers what the server does with conditions, and tells whoever wants to keep it. */
export function learnConditionalPut({ learned, onEvent }: S3Context, conditionalPut: ConditionalPut): void {
  if (learned.conditionalPut === conditionalPut) return;
  learned.conditionalPut = conditionalPut;
  onEvent({ type: "conditional-put-learned", conditionalPut });
}

/**
 * Facts of an object, or undefined for a 404. HEAD has no body: other refusals are asked for again with GET, which says
 * why, and a first 404 is only believed when the bucket is there.
 */
export async function statS3(
  context: S3Context,
  key: string,
  signal: AbortSignal | undefined,
): Promise<StoredObject | undefined> {
  const action = `look at '${context.nameOf(key)}'`;
  return await callS3(context, { action, key, signal }, async (wire) => {
    try {
      const object = objectOf(key, await wire.headObject({ key, signal }), action);
      context.learned.bucketSeen = true;
      return object;
    } catch (error) {
      if (isS3Failure(error, 404)) return await requireBucket(context, wire, signal);
      if (isS3Failure(error, 403) || isS3Failure(error, 400) || isS3Failure(error, 301))
        throw await explainHead(wire, key, signal, error);
      throw error;
    }
  });
}

async function explainHead(
  wire: S3Wire,
  key: string,
  signal: AbortSignal | undefined,
  unexplained: unknown,
): Promise<unknown> {
  try {
    (await wire.getObject({ key, range: "bytes=0-0", signal })).discard();
    return unexplained;
  } catch (explained) {
    return explained;
  }
}

async function requireBucket(
  { settings, learned }: S3Context,
  wire: S3Wire,
  signal: AbortSignal | undefined,
): Promise<undefined> {
  if (learned.bucketSeen) return undefined;
  try {
    await wire.headBucket({ signal });
  } catch (error) {
    if (isS3Failure(error, 404)) {
      const { code, fact, hint } = bucketMissing(settings.bucket, settings.endpoint);
      throw new SoarError(code, `unable to open the bucket: ${fact}`, { hint, cause: error });
    }
    // Not allowed to ask, or a passing trouble: only a clear "not there" may contradict the 404 of the object.
    if (!isS3Failure(error, 403)) throw error;
  }
  learned.bucketSeen = true;
  return undefined;
}

/** Facts from the wire as the contract has them; an answer without size or time is none. */
export function objectOf(key: string, facts: WireFacts, action: string): StoredObject {
  const { size, modifiedAt, etag, storageClass } = facts;
  if (size === undefined || modifiedAt === undefined) {
    throw new SoarError("STORE_PROTOCOL", `unable to ${action}: the answer names no size or no time`);
  }
  return { key, size, modifiedAt, etag, storageClass };
}
