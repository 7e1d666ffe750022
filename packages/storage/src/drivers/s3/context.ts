import { SoarError } from "@soar/errors";
import { abortedError } from "../../abort-signal.ts";
import type { StoredObject, StoreFeatures } from "../../object-store.ts";
import { bucketMissing } from "./error-meanings.ts";
import { classifyS3Failure } from "./errors.ts";
import type { HabitBook } from "./habit-book.ts";
import type { S3Settings } from "./settings.ts";
import { isS3Failure, type S3Wire, type WireFacts } from "./wire.ts";

/** What the parts of the S3 driver share. */
export interface S3Context {
  readonly settings: S3Settings;
  readonly features: StoreFeatures;
  /** Loads the SDK with the first call: opening a store, and programs that never use it, do not pay for it. */
  readonly wire: () => Promise<S3Wire>;
  /** How this server is known to be spoken to. */
  readonly habits: HabitBook;
  /**
   * Whether the bucket was seen to be there, prefixes whose listings came in the order of keys over several pages, and when
   * listing or ending the uploads of other writers was last refused (milliseconds of `performance.now`).
   */
  readonly seen: { bucket: boolean; readonly ordered: Set<string>; rivalsRefusedAt: number };
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
      const object = objectOf(key, await headExplained(wire, key, signal), action);
      context.seen.bucket = true;
      return object;
    } catch (error) {
      if (isS3Failure(error, 404)) return await requireBucket(context, wire, signal);
      throw error;
    }
  });
}

/**
 * Where GET is answered although HEAD was refused, the reason has gone meanwhile: credentials were renewed, or the clock
 * corrected. HEAD is then asked once more.
 */
async function headExplained(wire: S3Wire, key: string, signal: AbortSignal | undefined): Promise<WireFacts> {
  try {
    return await wire.headObject({ key, signal });
  } catch (error) {
    const isUnexplained = [400, 401, 403, 301].some((status) => isS3Failure(error, status));
    if (!isUnexplained || isS3Failure(error, 0, "RequestTimeTooSkewed")) throw error;
  }
  (await wire.getObject({ key, range: "bytes=0-0", signal })).discard();
  return await wire.headObject({ key, signal });
}

async function requireBucket(
  { settings, seen }: S3Context,
  wire: S3Wire,
  signal: AbortSignal | undefined,
): Promise<undefined> {
  if (seen.bucket) return undefined;
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
  seen.bucket = true;
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
