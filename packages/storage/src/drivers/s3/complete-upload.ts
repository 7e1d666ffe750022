import { hasErrorCode, SoarError } from "@soar/errors";
import { requireAllParts, uploadEnded } from "../../multipart-parts.ts";
import type { CallOptions, StoredObject } from "../../object-store.ts";
import { callS3, type S3Call, statS3 } from "./context.ts";
import { sendConditionally, taken } from "./only-if-absent.ts";
import { hasBytes } from "./has-bytes.ts";
import { endRivals } from "./rival-uploads.ts";
import { multipartEtag } from "./stored-digest.ts";
import { isNoUpload, isUploadGone, partsInOrder, type Upload, uploadGone } from "./upload-state.ts";
import { isS3Failure, S3Failure, type S3Wire, type WireStored } from "./wire.ts";

/** Makes the object of the parts that were uploaded, and proves by looking at it that it is ours. */
export async function completeUpload(upload: Upload, { signal }: CallOptions): Promise<StoredObject> {
  const { context, key, rules, parts, options } = upload;
  const size = requireAllParts(rules, new Map([...parts].map(([partNumber, part]) => [partNumber, part.size])));
  const call: S3Call = { action: `complete the upload of '${rules.name}'`, key, signal };
  if (upload.hasEnded) throw uploadEnded(rules.name);
  return await callS3(context, call, async (wire) => {
    try {
      const { stored, verify } = await sendConditionally(context, call, {
        habit: "conditionalComplete",
        ifAbsent: options.ifAbsent,
        send: (ifNoneMatch) => sendCompletion(upload, wire, call, ifNoneMatch),
        endRivals: (requireAbsent) => endRivals(upload, wire, call, requireAbsent),
      });
      return await requireCompleted(upload, call, { size, etag: stored.etag, verify });
    } catch (error) {
      const isEnded = await hasUploadEnded(upload, wire, call, error);
      const ours = await findOwnResult(upload, call, size, { error, isEnded });
      if (ours !== undefined) return ours;
      throw isEnded ? uploadGone(upload) : error;
    }
  });
}

async function sendCompletion(upload: Upload, wire: S3Wire, call: S3Call, ifNoneMatch: boolean): Promise<WireStored> {
  const { key, id } = upload;
  const wasDone = upload.mayBeDone;
  upload.mayBeDone = true;
  let stored: WireStored;
  try {
    const parts = partsInOrder(upload);
    stored = await wire.completeUpload({ key, uploadId: id, parts, ifNoneMatch, signal: call.signal });
  } catch (error) {
    // Without an answer, with one that broke off, and with most of 5xx, the server may have done it or still be at it.
    const status = error instanceof S3Failure ? (error.facts.status ?? 0) : 0;
    if (isSuccess(status)) throw unreadable(call, error);
    if ((status >= 300 && status < 500) || status === 501) upload.mayBeDone = wasDone;
    throw error;
  }
  if (stored.etag !== undefined) return stored;
  // A 200 may hold an error document, which the SDK notices only in its usual shape; then there is no ETag.
  throw new SoarError(
    "STORE_BUSY",
    `unable to ${call.action}: the provider answered 200 without an ETag, which is how it reports a late failure`,
  );
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** What the server did is found out by trying again. */
function unreadable({ action }: S3Call, cause: unknown): SoarError {
  const fact = cause instanceof Error ? cause.message : String(cause);
  return new SoarError("STORE_BUSY", `unable to ${action}: the provider's answer broke off (${fact})`, { cause });
}

/**
 * Servers have several words for an upload that is not there, and some fail over it like over anything else: then they are
 * asked for it. One that has ended is never completed by trying again.
 */
async function hasUploadEnded(upload: Upload, wire: S3Wire, call: S3Call, error: unknown): Promise<boolean> {
  if (isS3Failure(error, 0, "NoSuchUpload")) return true;
  const status = error instanceof S3Failure ? (error.facts.status ?? 0) : 0;
  const isInDoubt = isNoUpload(error) || (status >= 500 && status !== 501);
  return isInDoubt && (await isUploadGone(wire, upload, call.signal));
}

async function requireCompleted(
  upload: Upload,
  call: S3Call,
  { size, etag, verify }: { size: number; etag: string | undefined; verify: boolean },
): Promise<StoredObject> {
  const { context, key } = upload;
  const object = await statS3(context, key, call.signal);
  if (object === undefined) throw wrongResult(call, "the object is not there afterwards");
  // A server that leaves the mark empty in its answer has one on the object all the same.
  const mark = etag === "" ? digestOf(upload) : etag;
  if (verify && (object.size !== size || !(object.etag === mark || (await isOurs(upload, call, object)))))
    throw taken(context, call, undefined);
  if (object.size !== size) throw wrongResult(call, `the object has ${object.size} bytes instead of ${size}`);
  return object;
}

/**
 * After a lost answer, one without a mark, or a check that failed, the next attempt is told that there is no such upload, or that the key
 * is taken: by ourselves, if the object has our size and the digest of our parts, or the bytes of a put. Of other uploads nothing
 * tells whose it is where the provider's marks are no such digests: under `ifAbsent` the key is taken, and callers compare.
 */
async function findOwnResult(
  upload: Upload,
  call: S3Call,
  size: number,
  { error, isEnded }: { error: unknown; isEnded: boolean },
): Promise<StoredObject | undefined> {
  const { context, key, mayBeDone, options } = upload;
  const isInDoubt = mayBeDone && (isEnded || hasErrorCode(error, "OBJECT_EXISTS", "STORE_BUSY"));
  // Ended by another writer of this key, perhaps.
  if (!isInDoubt && !(isEnded && options.ifAbsent)) return undefined;
  const object = await statS3(context, key, call.signal);
  if (object === undefined) return undefined;
  if (mayBeDone && object.size === size && (await isOurs(upload, call, object))) return object;
  if (isEnded && options.ifAbsent) throw taken(context, call, error);
  return undefined;
}

/** By the digest of our parts, where the provider's marks are such digests; of a put by the mark of its part, or by its bytes. */
async function isOurs(upload: Upload, { signal }: S3Call, { etag }: StoredObject): Promise<boolean> {
  if (etag === digestOf(upload)) return true;
  const [part] = partsInOrder(upload);
  if (!upload.isPut || part === undefined) return false;
  return etag === part.etag || (await hasBytes(upload.context, upload.key, part.md5, signal));
}

function digestOf(upload: Upload): string {
  return multipartEtag(partsInOrder(upload).map(({ md5 }) => md5));
}

function wrongResult({ action }: S3Call, fact: string): SoarError {
  return new SoarError("STORE_PROTOCOL", `unable to ${action}: the provider reported success, but ${fact}`);
}
