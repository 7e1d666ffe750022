import { hasErrorCode, SoarError } from "@soar/errors";
import { requireAllParts, uploadEnded } from "../../multipart-parts.ts";
import type { CallOptions, StoredObject } from "../../object-store.ts";
import { callS3, type S3Call, statS3 } from "./context.ts";
import { sendConditionally, taken } from "./only-if-absent.ts";
import { multipartEtag } from "./stored-digest.ts";
import { isUploadGone, partsInOrder, type Upload } from "./upload-state.ts";
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
      });
      return await requireCompleted(upload, call, { size, etag: stored.etag, verify });
    } catch (error) {
      const isEnded = await hasUploadEnded(upload, wire, call, error);
      const ours = await findOwnResult(upload, call, size, { error, isEnded });
      if (ours !== undefined) return ours;
      throw isEnded ? uploadEnded(rules.name) : error;
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
    // Without an answer, and with most of 5xx, the server may have done it or still be at it.
    const status = error instanceof S3Failure ? error.facts.status : undefined;
    if (status !== undefined && (status < 500 || status === 501)) upload.mayBeDone = wasDone;
    throw error;
  }
  if (stored.etag !== undefined) return stored;
  // A 200 may hold an error document, which the SDK notices only in its usual shape; then there is no ETag.
  throw new SoarError(
    "STORE_BUSY",
    `unable to ${call.action}: the provider answered 200 without an ETag, which is how it reports a late failure`,
  );
}

/** A server in trouble is asked whether the upload is still there: one that has ended is never completed by trying again. */
async function hasUploadEnded(upload: Upload, wire: S3Wire, call: S3Call, error: unknown): Promise<boolean> {
  if (isS3Failure(error, 0, "NoSuchUpload")) return true;
  const status = error instanceof S3Failure ? error.facts.status : undefined;
  if (status === undefined || status < 500 || status === 501) return false;
  return await isUploadGone(wire, upload, call.signal);
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
  if (verify && (object.etag !== mark || object.size !== size)) throw taken(context, call, undefined);
  if (object.size !== size) throw wrongResult(call, `the object has ${object.size} bytes instead of ${size}`);
  return object;
}

/**
 * After a lost answer, one without a mark, or a check that failed, the next attempt is told that there is no such upload, or that the key
 * is taken: by ourselves, if the object has our size and the digest of our parts. Where the provider's marks are no such
 * digests, an upload that has ended with our size behind it is ours; a key that is taken proves nothing there.
 */
async function findOwnResult(
  upload: Upload,
  call: S3Call,
  size: number,
  { error, isEnded }: { error: unknown; isEnded: boolean },
): Promise<StoredObject | undefined> {
  const { context, key, mayBeDone } = upload;
  if (!mayBeDone || (!isEnded && !hasErrorCode(error, "OBJECT_EXISTS", "STORE_BUSY"))) return undefined;
  const object = await statS3(context, key, call.signal);
  if (object === undefined || object.size !== size) return undefined;
  if (object.etag === digestOf(upload)) return object;
  const isDigest = context.settings.provider.md5Etags && partsInOrder(upload).every(({ etag, md5 }) => etag === md5);
  const isSinglePut = /^[0-9a-f]{32}$/.test(object.etag ?? "");
  return isEnded && !isDigest && !isSinglePut ? object : undefined;
}

function digestOf(upload: Upload): string {
  return multipartEtag(partsInOrder(upload).map(({ md5 }) => md5));
}

function wrongResult({ action }: S3Call, fact: string): SoarError {
  return new SoarError("STORE_PROTOCOL", `unable to ${action}: the provider reported success, but ${fact}`);
}
