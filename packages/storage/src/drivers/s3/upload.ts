import { hasErrorCode, SoarError } from "@soar/errors";
import { type PartRules, requireAllParts, requirePart, requirePartSize, uploadEnded } from "../../multipart-parts.ts";
import { compareKeys } from "../../object-key.ts";
import type {
  CallOptions,
  MultipartOptions,
  MultipartUpload,
  StoredObject,
  UnfinishedUpload,
} from "../../object-store.ts";
import { callS3, type S3Call, type S3Context, statS3 } from "./context.ts";
import { digestBody, judgeEtag, multipartEtag } from "./stored-digest.ts";
import { sendConditionally, taken } from "./put.ts";
import { isS3Failure, S3Failure, type S3Wire, type WireStored, type WireUploadsPage } from "./wire.ts";

interface Part {
  readonly size: number;
  readonly etag: string;
  readonly md5: string;
}

interface Upload {
  readonly context: S3Context;
  readonly key: string;
  readonly id: string;
  readonly options: MultipartOptions;
  readonly rules: PartRules;
  readonly parts: Map<number, Part>;
  /** A completion was sent that the server did not clearly refuse: what is there now may be ours. */
  mayBeDone: boolean;
}

/** Begins an upload in parts that this driver drives itself: SDK uploaders have cut objects short without an error. */
export async function beginS3Upload(
  context: S3Context,
  key: string,
  options: MultipartOptions,
): Promise<MultipartUpload> {
  const rules: PartRules = { name: context.nameOf(key), partSize: options.partSize, features: context.features };
  requirePartSize(rules);
  const call: S3Call = { action: `begin the upload of '${rules.name}'`, key, signal: options.signal };
  const id = await callS3(context, call, (wire) => wire.createUpload({ key, signal: call.signal }));
  if (id === undefined || id === "")
    throw new SoarError("STORE_PROTOCOL", `unable to ${call.action}: the answer names no upload`);
  const upload: Upload = { context, key, id, options, rules, parts: new Map(), mayBeDone: false };
  return {
    key,
    partSize: options.partSize,
    putPart: (partNumber, body, callOptions = {}) => putPart(upload, partNumber, body, callOptions),
    complete: (callOptions = {}) => completeUpload(upload, callOptions),
    abort: (callOptions = {}) => abortUpload(upload, callOptions),
  };
}

async function putPart(
  { context, key, id, rules, parts }: Upload,
  partNumber: number,
  body: Uint8Array,
  { signal }: CallOptions,
): Promise<void> {
  requirePart(rules, partNumber, body.byteLength);
  const call: S3Call = { action: `upload part ${partNumber} of '${rules.name}'`, key, signal };
  const digest = digestBody(body);
  const stored = await callS3(context, call, async (wire) => {
    try {
      return await wire.uploadPart({ key, uploadId: id, partNumber, body, contentMd5: digest.base64, signal });
    } catch (error) {
      throw isS3Failure(error, 404, "NoSuchUpload") ? uploadEnded(rules.name) : error;
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

async function completeUpload(upload: Upload, { signal }: CallOptions): Promise<StoredObject> {
  const { context, key, rules, parts, options } = upload;
  const size = requireAllParts(rules, new Map([...parts].map(([partNumber, part]) => [partNumber, part.size])));
  const call: S3Call = { action: `complete the upload of '${rules.name}'`, key, signal };
  return await callS3(context, call, async (wire) => {
    try {
      const { stored, verify } = await sendConditionally(context, call, options.ifAbsent, wire, (ifNoneMatch) =>
        sendCompletion(upload, wire, call, ifNoneMatch),
      );
      return await requireCompleted(upload, call, { size, etag: stored.etag, verify });
    } catch (error) {
      const ours = await findOwnResult(upload, call, size, error);
      if (ours !== undefined) return ours;
      throw error;
    }
  });
}

async function sendCompletion(upload: Upload, wire: S3Wire, call: S3Call, ifNoneMatch: boolean): Promise<WireStored> {
  const { key, id, parts } = upload;
  const inOrder = [...parts]
    .sort(([left], [right]) => left - right)
    .map(([partNumber, { etag }]) => ({ partNumber, etag }));
  const wasDone = upload.mayBeDone;
  upload.mayBeDone = true;
  let stored: WireStored;
  try {
    stored = await wire.completeUpload({ key, uploadId: id, parts: inOrder, ifNoneMatch, signal: call.signal });
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

async function requireCompleted(
  upload: Upload,
  call: S3Call,
  { size, etag, verify }: { size: number; etag: string | undefined; verify: boolean },
): Promise<StoredObject> {
  const { context, key } = upload;
  const object = await statS3(context, key, call.signal);
  if (object === undefined) throw wrongResult(call, "the object is not there afterwards");
  if (verify && (object.etag !== etag || object.size !== size)) throw taken(context, call, undefined);
  if (object.size !== size) throw wrongResult(call, `the object has ${object.size} bytes instead of ${size}`);
  return object;
}

/**
 * After a lost answer, or a check that failed, the next attempt is told that there is no such upload, or that the key
 * is taken: by ourselves, if the object has our size and the digest of our parts. Where the provider's marks are no such
 * digests, an upload that has ended with our size behind it is ours; a key that is taken proves nothing there.
 */
async function findOwnResult(
  upload: Upload,
  call: S3Call,
  size: number,
  error: unknown,
): Promise<StoredObject | undefined> {
  const { context, key, parts, mayBeDone } = upload;
  const ended = isS3Failure(error, 0, "NoSuchUpload");
  if (!mayBeDone || (!ended && !hasErrorCode(error, "OBJECT_EXISTS"))) return undefined;
  const object = await statS3(context, key, call.signal);
  if (object === undefined || object.size !== size) return undefined;
  const inOrder = [...parts].sort(([left], [right]) => left - right).map(([, part]) => part);
  if (object.etag === multipartEtag(inOrder.map(({ md5 }) => md5))) return object;
  const isDigest = context.settings.provider.md5Etags && inOrder.every(({ etag, md5 }) => etag === md5);
  const isSinglePut = /^[0-9a-f]{32}$/.test(object.etag ?? "");
  return ended && !isDigest && !isSinglePut ? object : undefined;
}

function wrongResult({ action }: S3Call, fact: string): SoarError {
  return new SoarError("STORE_PROTOCOL", `unable to ${action}: the provider reported success, but ${fact}`);
}

async function abortUpload({ context, key, id, rules }: Upload, { signal }: CallOptions): Promise<void> {
  await callS3(context, { action: `abort the upload of '${rules.name}'`, key, signal }, (wire) =>
    abortThrough(wire, key, id, signal),
  );
}

/** Aborting what has ended is what was wanted. */
async function abortThrough(
  wire: S3Wire,
  key: string,
  uploadId: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await wire.abortUpload({ key, uploadId, signal });
  } catch (error) {
    if (!isS3Failure(error, 0, "NoSuchUpload")) throw error;
  }
}

/** Aborts uploads that were begun before `before`, and returns their keys. */
export async function abortStaleS3Uploads(
  context: S3Context,
  prefix: string,
  before: Date,
  { signal }: CallOptions,
): Promise<string[]> {
  const call: S3Call = { action: `abort uploads under '${context.nameOf(prefix)}'`, signal };
  return await callS3(context, call, async (wire) => {
    const keys: string[] = [];
    for await (const { key, uploadId, begunAt } of readUploads(wire, call, prefix)) {
      if (begunAt >= before) continue;
      await abortThrough(wire, key, uploadId, signal);
      keys.push(key);
    }
    return keys.sort(compareKeys);
  });
}

/** Uploads that were never completed or aborted. */
export async function listS3Uploads(
  context: S3Context,
  prefix: string,
  { signal }: CallOptions,
): Promise<UnfinishedUpload[]> {
  const call: S3Call = { action: `list uploads under '${context.nameOf(prefix)}'`, signal };
  return await callS3(context, call, async (wire) => {
    const uploads: UnfinishedUpload[] = [];
    for await (const { key, begunAt } of readUploads(wire, call, prefix)) uploads.push({ key, begunAt });
    return uploads.sort((left, right) => compareKeys(left.key, right.key));
  });
}

async function* readUploads(
  wire: S3Wire,
  call: S3Call,
  prefix: string,
): AsyncGenerator<{ key: string; uploadId: string; begunAt: Date }, void, void> {
  let keyMarker: string | undefined;
  let uploadIdMarker: string | undefined;
  for (;;) {
    const page: WireUploadsPage = await wire.listUploads({ prefix, keyMarker, uploadIdMarker, signal: call.signal });
    for (const { key, uploadId, begunAt } of page.uploads) {
      if (key === undefined || uploadId === undefined || begunAt === undefined || !key.startsWith(prefix)) {
        throw new SoarError(
          "STORE_PROTOCOL",
          `unable to ${call.action}: an entry of the listing has no key, id or time, or does not belong there`,
        );
      }
      yield { key, uploadId, begunAt };
    }
    if (page.truncated !== true) return;
    if (
      page.nextKeyMarker === undefined ||
      (page.nextKeyMarker === keyMarker && page.nextUploadIdMarker === uploadIdMarker)
    ) {
      throw new SoarError("STORE_PROTOCOL", `unable to ${call.action}: a page of the listing does not lead on`);
    }
    keyMarker = page.nextKeyMarker;
    uploadIdMarker = page.nextUploadIdMarker;
  }
}
