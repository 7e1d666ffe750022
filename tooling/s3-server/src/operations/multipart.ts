import { randomBytes } from "node:crypto";
import { removeUpload, releaseBlob, type Bucket, type Part, type Upload } from "../bucket.ts";
import { requireBucket, type S3Call, type S3Reply } from "../call.ts";
import { isChecksumAlgorithm } from "../checksums.ts";
import { refusalOf, S3Error, type Refusal } from "../s3-error.ts";
import { formatXml } from "../xml.ts";
import { requireLockDigest } from "./object-lock.ts";
import { etagOf, readWriteFacts, storeBody } from "./write-request.ts";

export function createMultipartUpload(call: S3Call): S3Reply {
  const bucket = requireBucket(call);
  const uploadId = randomBytes(24).toString("base64url");
  const upload: Upload = {
    uploadId,
    key: call.key,
    initiatedAt: call.state.now(),
    ...readWriteFacts(call, bucket),
    checksumAlgorithm: readChecksumAlgorithm(call),
    parts: new Map(),
  };
  bucket.uploads.set(uploadId, upload);
  const body = formatXml("InitiateMultipartUploadResult", [
    ["Bucket", bucket.name],
    ["Key", call.key],
    ["UploadId", uploadId],
  ]);
  return { status: 200, headers: { ...upload.facts.encryption }, body };
}

function readChecksumAlgorithm(call: S3Call): Upload["checksumAlgorithm"] {
  const given = call.header("x-amz-checksum-algorithm");
  if (given === undefined) return undefined;
  const { checksumHeaders } = call.state.rules;
  if (checksumHeaders !== "verified") throw new S3Error(checksumHeaders("x-amz-checksum-algorithm"));
  if (call.header("x-amz-checksum-type") === "FULL_OBJECT")
    throw new S3Error("NotImplemented", { details: { Header: "x-amz-checksum-type" } });
  const algorithm = given.toLowerCase();
  if (!isChecksumAlgorithm(algorithm)) {
    throw new S3Error("InvalidRequest", {
      message:
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
    });
  }
  return algorithm;
}

export async function uploadPart(call: S3Call): Promise<S3Reply> {
  const bucket = requireBucket(call);
  const { part: ended } = call.state.rules.endedUpload;
  if (ended === "accepted" && findUpload(call, bucket) === undefined) return await swallowPart(call, bucket);
  const upload = requireUpload(call, bucket, ended === "accepted" ? undefined : ended);
  const partNumber = readPartNumber(call);
  requireLockDigest(call, upload, "Put Part");
  const { blob, received } = await storeBody(call, bucket);
  const etag = etagOf(call, upload.facts, received.md5);
  const part = { partNumber, blob, etag, modifiedAt: call.state.now(), checksums: received.checksums };
  replacePart(bucket, upload, part);
  return { status: 200, headers: { etag: `"${etag}"`, ...upload.facts.encryption, ...received.checksums } };
}

/** Takes a part that nobody will ever see. */
async function swallowPart(call: S3Call, bucket: Bucket): Promise<S3Reply> {
  const { blob, received } = await storeBody(call, bucket);
  releaseBlob(bucket, blob);
  return { status: 200, headers: { etag: `"${received.md5?.toString("hex") ?? ""}"` } };
}

/** Registers a part, whose blob it takes over, in place of an earlier one of the same number. */
export function replacePart(bucket: Bucket, upload: Upload, part: Part): void {
  if (!bucket.uploads.has(upload.uploadId)) {
    // Aborted or completed while the part was on its way.
    releaseBlob(bucket, part.blob);
    throw new S3Error("NoSuchUpload", { details: { UploadId: upload.uploadId } });
  }
  const earlier = upload.parts.get(part.partNumber);
  if (earlier !== undefined) releaseBlob(bucket, earlier.blob);
  upload.parts.set(part.partNumber, part);
}

export function readPartNumber(call: S3Call): number {
  const { maxParts, tooManyParts } = call.state.rules;
  const text = call.parameter("partNumber") ?? "";
  const partNumber = Number(text);
  if (!/^\d+$/.test(text) || partNumber < 1 || partNumber > maxParts) {
    throw new S3Error(tooManyParts, { details: { ArgumentName: "partNumber", ArgumentValue: text } });
  }
  return partNumber;
}

export function abortMultipartUpload(call: S3Call): S3Reply {
  const bucket = requireBucket(call);
  removeUpload(bucket, requireUpload(call, bucket, call.state.rules.endedUpload.abort));
  return { status: 204 };
}

function findUpload(call: S3Call, bucket: Bucket): Upload | undefined {
  const upload = bucket.uploads.get(call.parameter("uploadId") ?? "");
  return upload?.key === call.key ? upload : undefined;
}

/** Throws `ended` for an upload that is no more, or never was. */
export function requireUpload(call: S3Call, bucket: Bucket, ended: Refusal = refusalOf("NoSuchUpload")): Upload {
  const upload = findUpload(call, bucket);
  if (upload === undefined) throw new S3Error(ended, { details: { UploadId: call.parameter("uploadId") ?? "" } });
  return upload;
}
