import { addVersion, nextVersionId, removeVersion, type Bucket } from "../bucket.ts";
import { requireBucket, type S3Call, type S3Reply } from "../call.ts";
import { mayAccess } from "../credential.ts";
import { receiveText, requireBodyDigest } from "../receive-body.ts";
import { S3Error } from "../s3-error.ts";
import { childrenOf, formatXml, parseXml, textOf, type XmlElement } from "../xml.ts";
import { checkRemovable } from "./object-lock.ts";

const MAX_KEYS = 1000;

interface Removed {
  readonly versionId: string | undefined;
  readonly deleteMarker: boolean;
}

export function deleteObject(call: S3Call): S3Reply {
  const bucket = requireBucket(call);
  const { versionId, deleteMarker } = removeKey(call, bucket, {
    key: call.key,
    versionId: call.parameter("versionId"),
  });
  return {
    status: 204,
    headers: {
      ...(versionId !== undefined && { "x-amz-version-id": versionId }),
      ...(deleteMarker && { "x-amz-delete-marker": "true" }),
    },
  };
}

/** Every key gets its own verdict inside a 200: docs/providers.md, "Rules that follow". */
export async function deleteObjects(call: S3Call): Promise<S3Reply> {
  const bucket = requireBucket(call);
  const { batchDelete } = call.state.rules;
  if (batchDelete !== "accepted") throw new S3Error(batchDelete);
  requireBodyDigest(call);
  const document = parseXml(await receiveText(call), "Delete");
  const targets = childrenOf(document, "Object").map((node) => ({
    key: textOf(node, "Key") ?? "",
    versionId: textOf(node, "VersionId"),
  }));
  if (targets.length === 0 || targets.length > MAX_KEYS || targets.some(({ key }) => key === ""))
    throw new S3Error("MalformedXML");
  const quiet = textOf(document, "Quiet") === "true";
  const results = targets
    .map((target) => removeOne(call, bucket, target))
    .filter(([name]) => name === "Error" || !quiet);
  return { status: 200, body: formatXml("DeleteResult", results) };
}

function removeOne(call: S3Call, bucket: Bucket, target: { key: string; versionId: string | undefined }): XmlElement {
  const named: XmlElement[] = [
    ["Key", target.key],
    ["VersionId", target.versionId],
  ];
  try {
    const action = target.versionId === undefined ? "s3:DeleteObject" : "s3:DeleteObjectVersion";
    if (!mayAccess(call.caller, { action, bucket: bucket.name, key: target.key })) throw new S3Error("AccessDenied");
    const { versionId, deleteMarker } = removeKey(call, bucket, target);
    const marker: XmlElement[] = deleteMarker
      ? [
          ["DeleteMarker", true],
          ["DeleteMarkerVersionId", versionId],
        ]
      : [];
    return ["Deleted", [...named, ...marker]];
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    return ["Error", [...named, ["Code", error.code], ["Message", error.message]]];
  }
}

/** A bare key on a versioned bucket is only hidden by a delete marker; a key that is not there counts as removed. */
function removeKey(
  call: S3Call,
  bucket: Bucket,
  { key, versionId }: { key: string; versionId: string | undefined },
): Removed {
  const versions = bucket.versions.get(key) ?? [];
  if (versionId !== undefined || bucket.versioning === undefined) {
    const version = versions.find((candidate) => candidate.versionId === (versionId ?? "null"));
    if (version === undefined) return { versionId, deleteMarker: false };
    checkRemovable(call, version);
    removeVersion(bucket, version);
    return { versionId, deleteMarker: version.deleteMarker };
  }
  const marker = {
    key,
    versionId: nextVersionId(bucket),
    deleteMarker: true,
    blobs: [],
    size: 0,
    etag: "",
    modifiedAt: call.state.now(),
    begun: call.log.number,
    facts: { storageClass: "STANDARD", headers: {}, encryption: {}, checksums: {} },
    retention: undefined,
    legalHold: false,
    restoredUntil: undefined,
  };
  addVersion(bucket, marker);
  return { versionId: marker.versionId, deleteMarker: true };
}
