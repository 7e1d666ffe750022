import { addVersion, currentVersion, nextVersionId, type Bucket, type ObjectVersion } from "../bucket.ts";
import { requireBucket, type S3Call, type S3Reply } from "../call.ts";
import type { Blob } from "../blob.ts";
import { requireLockDigest } from "./object-lock.ts";
import { checkWriteConditions, etagOf, readWriteFacts, storeBody, type WriteFacts } from "./write-request.ts";

export async function putObject(call: S3Call): Promise<S3Reply> {
  const bucket = requireBucket(call);
  const write = readWriteFacts(call, bucket);
  requireLockDigest(call, write, "Put Object");
  checkWriteConditions(call, bucket);
  const { blob, received } = await storeBody(call, bucket);
  try {
    const facts = { ...write.facts, checksums: received.checksums };
    const etag = etagOf(call, facts, received.md5);
    if (call.state.rules.conditionJudged === "at-end") checkWriteConditions(call, bucket);
    else if ((currentVersion(bucket, call.key)?.begun ?? 0) > call.log.number) {
      // One that began later is there already, and stays: this one is told that all is well.
      return { status: 200, headers: { etag: `"${etag}"` } };
    }
    const version = commitObject(call, bucket, { ...write, facts, etag, blobs: [blob] });
    return { status: 200, headers: { etag: `"${etag}"`, ...versionHeaders(bucket, version), ...received.checksums } };
  } finally {
    // The version holds the blob by a reference of its own.
    bucket.storedBytes -= blob.size;
    blob.release();
  }
}

export interface NewObject extends WriteFacts {
  readonly etag: string;
  readonly blobs: readonly Blob[];
}

/** Makes an object visible; it takes references of its own on the blobs. */
export function commitObject(
  call: S3Call,
  bucket: Bucket,
  { facts, retention, legalHold, etag, blobs }: NewObject,
): ObjectVersion {
  for (const blob of blobs) blob.retain();
  const version: ObjectVersion = {
    key: call.key,
    versionId: nextVersionId(bucket),
    deleteMarker: false,
    blobs,
    size: blobs.reduce((size, blob) => size + blob.size, 0),
    etag,
    modifiedAt: call.state.now(),
    begun: call.log.number,
    facts,
    retention,
    legalHold,
    restoredUntil: undefined,
  };
  addVersion(bucket, version);
  return version;
}

/** Headers of an answer to a write, but for the ETag, which some answers give in their document only. */
export function versionHeaders(bucket: Bucket, { versionId, facts }: ObjectVersion): Record<string, string> {
  return {
    ...facts.encryption,
    ...(bucket.versioning !== undefined && { "x-amz-version-id": versionId }),
  };
}
