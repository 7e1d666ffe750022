import { SoarError } from "@soar/errors";
import type { PutOptions, StoredObject } from "../../object-store.ts";
import { callS3, learnConditionalPut, type S3Call, type S3Context, statS3 } from "./context.ts";
import { type BodyDigest, digestBody, judgeEtag } from "./stored-digest.ts";
import { isS3Failure, type S3Wire, type WireStored } from "./wire.ts";

/** Stores a body with one request and proves by the server's own answer that it has these bytes. */
export async function putS3(
  context: S3Context,
  key: string,
  body: Uint8Array,
  options: PutOptions,
): Promise<StoredObject> {
  const call: S3Call = { action: `store '${context.nameOf(key)}'`, key, signal: options.signal };
  return await callS3(context, call, async (wire) => {
    const digest = digestBody(body);
    const send = (ifNoneMatch: boolean): Promise<WireStored> =>
      wire.putObject({ key, body, contentMd5: digest.base64, ifNoneMatch, signal: call.signal });
    const { stored, verify } = await sendConditionally(context, call, options.ifAbsent, wire, send);
    return await requireStored(context, call, { key, size: body.byteLength, stored, digest, verify });
  });
}

/** How the write went, and whether another writer may have come in between. */
export interface ConditionalOutcome {
  readonly stored: WireStored;
  readonly verify: boolean;
}

/**
 * Sends a write under `ifAbsent` the safest way that the server knows:
 * - honoured: the server decides, atomically.
 * - unknown or ignored: looks first, sends the condition all the same, and has the result compared afterwards.
 * - refused: looks first, and has the result compared afterwards.
 * `"by-server"` sends the condition and nothing else, and learns from the answer.
 */
export async function sendConditionally(
  context: S3Context,
  call: S3Call,
  ifAbsent: PutOptions["ifAbsent"],
  wire: S3Wire,
  send: (ifNoneMatch: boolean) => Promise<WireStored>,
): Promise<ConditionalOutcome> {
  if (!ifAbsent) return { stored: await send(false), verify: false };
  if (ifAbsent === "by-server") return { stored: await sendWithCondition(context, call, wire, send), verify: false };
  const { conditionalPut } = context.learned;
  if (conditionalPut !== "honoured") await requireAbsent(context, call);
  if (conditionalPut === "refused") return { stored: await send(false), verify: true };
  try {
    return { stored: await sendWithCondition(context, call, wire, send), verify: conditionalPut !== "honoured" };
  } catch (error) {
    if (!isConditionRefused(error)) throw error;
    if (conditionalPut === "honoured") await requireAbsent(context, call);
    return { stored: await send(false), verify: true };
  }
}

async function sendWithCondition(
  context: S3Context,
  call: S3Call,
  wire: S3Wire,
  send: (ifNoneMatch: boolean) => Promise<WireStored>,
): Promise<WireStored> {
  try {
    return await send(true);
  } catch (error) {
    if (isConditionRefused(error)) learnConditionalPut(context, "refused");
    if (isS3Failure(error, 412, "PreconditionFailed")) {
      // A refusal proves that the server looks at the condition.
      learnConditionalPut(context, "honoured");
      throw taken(context, call, error);
    }
    if (isS3Failure(error, 0, "ConditionalRequestConflict")) throw await explainConflict(context, call, error);
    throw error;
  }
}

/** 501 by the letter; some servers say 400 and name the header. */
function isConditionRefused(error: unknown): boolean {
  return isS3Failure(error, 501, "NotImplemented") || (isS3Failure(error, 400) && /if-none-match/i.test(error.message));
}

/** 409: another write or removal of this key was under way. Who won is seen by looking; if nobody, trying again helps. */
async function explainConflict(context: S3Context, call: S3Call, error: unknown): Promise<unknown> {
  return (await statS3(context, call.key ?? "", call.signal)) === undefined ? error : taken(context, call, error);
}

async function requireAbsent(context: S3Context, call: S3Call): Promise<void> {
  if ((await statS3(context, call.key ?? "", call.signal)) !== undefined) throw taken(context, call, undefined);
}

export function taken(context: S3Context, call: S3Call, cause: unknown): SoarError {
  return new SoarError(
    "OBJECT_EXISTS",
    `unable to store '${context.nameOf(call.key ?? "")}': there is an object of this name already`,
    { cause },
  );
}

interface Written {
  readonly key: string;
  readonly size: number;
  readonly stored: WireStored;
  readonly digest: BodyDigest;
  readonly verify: boolean;
}

async function requireStored(context: S3Context, call: S3Call, written: Written): Promise<StoredObject> {
  const { key, size, stored, digest, verify } = written;
  const verdict = judgeEtag(stored, digest.hex, context.settings.provider);
  if (verdict === "other")
    throw notStored(call, `its answer has the MD5 ${stored.etag ?? ""} instead of ${digest.hex}`);
  // The answer to a put has no time. Where the server's mark proves the bytes, another request would only cost.
  if (verdict === "same" && !verify)
    return { key, size, modifiedAt: new Date(), etag: stored.etag, storageClass: context.settings.storageClass };
  const object = await statS3(context, key, call.signal);
  if (object === undefined) throw notStored(call, "it is not there afterwards");
  if (verify && stored.etag !== undefined && object.etag !== undefined && object.etag !== stored.etag)
    throw taken(context, call, undefined);
  if (object.size !== size)
    throw verify
      ? taken(context, call, undefined)
      : notStored(call, `it has ${object.size} bytes instead of ${size} afterwards`);
  return object;
}

/** The provider said yes and did something else. Trying again is right: nothing of ours is there. */
function notStored({ action }: S3Call, fact: string): SoarError {
  return new SoarError("STORE_PROTOCOL", `unable to ${action}: the provider reported success, but ${fact}`, {
    hint: "Do not trust this provider with backups before it explains this; versioning may have kept what was there.",
  });
}
