import { currentVersion, type Bucket, type ObjectVersion } from "../bucket.ts";
import type { S3Call } from "../call.ts";
import { mayAccess } from "../credential.ts";
import { S3Error } from "../s3-error.ts";

/**
 * The version that a request means: the one named by versionId, else the newest. Throws NoSuchKey, NoSuchVersion,
 * MethodNotAllowed for a delete marker, and AccessDenied instead of NoSuchKey for callers who may not list the bucket:
 * S3 does not tell them what is missing.
 */
export function requireVersion(call: S3Call, bucket: Bucket): ObjectVersion {
  const { key } = call;
  const versionId = call.parameter("versionId");
  if (versionId === undefined) {
    const version = currentVersion(bucket, key);
    if (version !== undefined) return version;
    const marker = bucket.versions.get(key)?.[0];
    throw missing(
      call,
      bucket,
      marker === undefined ? {} : { "x-amz-delete-marker": "true", "x-amz-version-id": marker.versionId },
    );
  }
  const version = bucket.versions.get(key)?.find((candidate) => candidate.versionId === versionId);
  if (version === undefined) throw new S3Error("NoSuchVersion", { details: { Key: key, VersionId: versionId } });
  if (version.deleteMarker)
    throw new S3Error("MethodNotAllowed", {
      headers: { "x-amz-delete-marker": "true", "x-amz-version-id": versionId },
    });
  return version;
}

function missing(call: S3Call, bucket: Bucket, headers: Record<string, string>): S3Error {
  if (!mayAccess(call.caller, { action: "s3:ListBucket", bucket: bucket.name, key: "", prefix: call.key }))
    return new S3Error("AccessDenied");
  return new S3Error("NoSuchKey", { details: { Key: call.key }, headers });
}
