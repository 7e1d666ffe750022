import { SoarError } from "@soar/errors";
import { type PartRules, requirePart, requirePartSize, uploadEnded } from "../../multipart-parts.ts";
import type { CallOptions, MultipartOptions, MultipartUpload, PutOptions, StoredObject } from "../../object-store.ts";
import { abortUpload } from "../../give-back.ts";
import { abortThrough } from "./abort-upload.ts";
import { completeUpload } from "./complete-upload.ts";
import { callS3, type S3Call, type S3Context, statS3 } from "./context.ts";
import { isAboutManner } from "./refusals.ts";
import { digestBody, judgeEtag } from "./stored-digest.ts";
import { isNoUpload, isUploadGone, type Upload, uploadGone } from "./upload-state.ts";
import { isS3Failure, S3Failure, type WireStored } from "./wire.ts";

/** Begins an upload in parts that this driver drives itself: SDK uploaders have cut objects short without an error. */
export async function beginS3Upload(
  context: S3Context,
  key: string,
  options: MultipartOptions,
): Promise<MultipartUpload> {
  const upload = await openUpload(context, key, options, false);
  return {
    key,
    partSize: options.partSize,
    putPart: (partNumber, body, callOptions = {}) => putPart(upload, partNumber, body, callOptions),
    complete: (callOptions = {}) => completeOnce(upload, callOptions),
    abort: (callOptions = {}) => abortOnce(upload, callOptions),
  };
}

async function openUpload(context: S3Context, key: string, options: MultipartOptions, isPut: boolean): Promise<Upload> {
  const rules: PartRules = { name: context.nameOf(key), partSize: options.partSize, features: context.features };
  requirePartSize(rules);
  const call: S3Call = { action: `begin the upload of '${rules.name}'`, key, signal: options.signal };
  const id = await callS3(context, call, (wire) => wire.createUpload({ key, signal: call.signal }));
  if (id === undefined || id === "")
    throw new SoarError("STORE_PROTOCOL", `unable to ${call.action}: the answer names no upload`);
  const state = { parts: new Map(), isPut, mayBeDone: false, hasEnded: false, isGone: false };
  return { context, key, id, options, rules, ...state };
}

/** Whoever stops a put does not wait for longer: what is left over is ended by the next writer, or by clearing up. */
const GIVE_BACK_MS = 3000;

/**
 * Stores a body as an upload of one part. When another writer of the key has ended it, nothing is there yet, and it may be
 * begun again: then it rejects with `STORE_BUSY`.
 */
export async function putAsUpload(
  context: S3Context,
  key: string,
  body: Uint8Array,
  { ifAbsent, signal }: PutOptions,
): Promise<StoredObject> {
  const partSize = Math.max(body.byteLength, context.features.minPartSize);
  const upload = await openUpload(context, key, { partSize, ifAbsent, signal }, true);
  try {
    await putPart(upload, 1, body, { signal });
    return await completeOnce(upload, { signal });
  } catch (error) {
    if (!upload.isGone)
      throw await abortUpload({ key, abort: (options = {}) => abortOnce(upload, options) }, error, GIVE_BACK_MS);
    throw new SoarError(
      "STORE_BUSY",
      `unable to store '${upload.rules.name}': another writer was at it at the same moment`,
      { cause: error },
    );
  }
}

async function putPart(upload: Upload, partNumber: number, body: Uint8Array, { signal }: CallOptions): Promise<void> {
  const { context, key, id, rules, parts } = upload;
  requirePart(rules, partNumber, body.byteLength);
  const call: S3Call = { action: `upload part ${partNumber} of '${rules.name}'`, key, signal };
  // Not every server notices, and some take the part.
  if (upload.hasEnded) throw uploadEnded(rules.name);
  const digest = digestBody(body);
  const stored = await callS3(context, call, async (wire): Promise<WireStored> => {
    try {
      return await wire.uploadPart({ key, uploadId: id, partNumber, body, contentMd5: digest.base64, signal });
    } catch (error) {
      if (isNoUpload(error)) throw uploadGone(upload);
      if (isS3Failure(error, 500) && (await isUploadGone(wire, upload, signal))) throw uploadGone(upload);
      if (isPartNumberRefused(error, partNumber)) throw tooManyParts(upload, partNumber, error);
      throw error;
    }
  });
  if (stored.etag === undefined)
    throw new SoarError("STORE_PROTOCOL", `unable to ${call.action}: the answer has no ETag`, { retryable: true });
  if (judgeEtag(stored, digest.hex, context.settings.provider) === "other") {
    throw new SoarError(
      "STORE_PROTOCOL",
      `unable to ${call.action}: the provider stored other bytes (${stored.etag} instead of ${digest.hex})`,
      { retryable: true },
    );
  }
  parts.set(partNumber, { size: body.byteLength, etag: stored.etag, md5: digest.hex });
}

/** Numbers that every server takes. */
const SURE_PARTS = 100;

/** Part numbers are bounded by 10,000 at Amazon, by 1,000 at others, and by a setting of some servers. */
function isPartNumberRefused(error: unknown, partNumber: number): error is S3Failure {
  return partNumber > SURE_PARTS && error instanceof S3Failure && isAboutManner(error);
}

function tooManyParts({ context, rules, parts }: Upload, partNumber: number, refusal: S3Failure): SoarError {
  const { habits } = context;
  // Parts travel side by side: the largest one that was taken is the limit, as far as this upload can tell.
  const largest = [...parts.keys()].reduce((most, taken) => (taken < partNumber ? Math.max(most, taken) : most), 0);
  if (parts.size >= SURE_PARTS && largest < habits.now.maxParts) habits.learn("maxParts", largest, refusal.message);
  return new SoarError(
    "STORE_UNSUPPORTED",
    `unable to upload '${rules.name}': the provider takes no part number ${partNumber} (${refusal.message})`,
    { hint: "Begin again with larger parts: probeMaxParts finds out how many it takes.", cause: refusal },
  );
}

async function completeOnce(upload: Upload, options: CallOptions): Promise<StoredObject> {
  const object = await completeUpload(upload, options);
  upload.hasEnded = true;
  return object;
}

/** What was completed or aborted by ourselves needs no request any more. */
async function abortOnce(upload: Upload, { signal }: CallOptions): Promise<void> {
  if (upload.hasEnded || (upload.mayBeDone && (await isPerhapsStored(upload, signal)))) return;
  const { context, key, id, rules } = upload;
  await callS3(context, { action: `abort the upload of '${rules.name}'`, key, signal }, (wire) =>
    abortThrough(wire, key, id, signal),
  );
  upload.hasEnded = true;
}

/**
 * Whether the object that is there may be what this upload was completed to. Then it is not aborted: some servers lose an
 * object whose upload is aborted behind it, and where it is another writer's, parts that are left over cost less.
 */
async function isPerhapsStored({ context, key, parts }: Upload, signal: AbortSignal | undefined): Promise<boolean> {
  const object = await statS3(context, key, signal);
  return object?.size === [...parts.values()].reduce((sum, { size }) => sum + size, 0);
}
