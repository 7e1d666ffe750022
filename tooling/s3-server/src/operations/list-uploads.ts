import { requireBucket, type S3Call, type S3Reply } from "../call.ts";
import { compareKeys } from "../compare-keys.ts";
import { S3Error } from "../s3-error.ts";
import { formatXml, type XmlElement } from "../xml.ts";
import { uploadsInOrder } from "./complete-upload.ts";
import { readListQuery } from "./list-objects.ts";
import { requireUpload } from "./multipart.ts";

const MAX_PARTS_PER_PAGE = 1000;

export function listMultipartUploads(call: S3Call): S3Reply {
  const bucket = requireBucket(call);
  const { prefix, delimiter, maxKeys, encode, encodingType } = readListQuery(call, "max-uploads");
  if (delimiter !== "") throw new S3Error("NotImplemented", { details: { Parameter: "delimiter" } });
  const keyMarker = call.parameter("key-marker") ?? "";
  const idMarker = call.parameter("upload-id-marker") ?? "";
  const kept = call.state.rules.uploadListing === "empty" ? [] : uploadsInOrder(bucket, compareKeys);
  const all = kept.filter(({ key }) => key.startsWith(prefix));
  const markerIndex = all.findIndex(({ key, uploadId }) => key === keyMarker && uploadId === idMarker);
  // Without an upload id, the marker's own uploads are behind us.
  const behind =
    markerIndex >= 0 ? all.slice(markerIndex + 1) : all.filter(({ key }) => compareKeys(key, keyMarker) > 0);
  const page = behind.slice(0, maxKeys);
  const truncated = page.length < behind.length;
  const last = page.at(-1);
  const next: XmlElement[] =
    truncated && last !== undefined
      ? [
          ["NextKeyMarker", encode(last.key)],
          ["NextUploadIdMarker", last.uploadId],
        ]
      : [];
  const body = formatXml("ListMultipartUploadsResult", [
    ["Bucket", bucket.name],
    ["KeyMarker", encode(keyMarker)],
    ["UploadIdMarker", idMarker],
    ...next,
    ["Prefix", encode(prefix)],
    ["EncodingType", encodingType],
    ["MaxUploads", maxKeys],
    ["IsTruncated", truncated],
    ...page.map(({ key, uploadId, initiatedAt, facts }): XmlElement => [
      "Upload",
      [
        ["Key", encode(key)],
        ["UploadId", uploadId],
        ["StorageClass", facts.storageClass],
        ["Initiated", new Date(initiatedAt).toISOString()],
      ],
    ]),
  ]);
  return { status: 200, body };
}

export function listParts(call: S3Call): S3Reply {
  const bucket = requireBucket(call);
  const upload = requireUpload(call, bucket);
  const marker = Number(call.parameter("part-number-marker") ?? 0);
  const maxParts = Math.min(Number(call.parameter("max-parts") ?? MAX_PARTS_PER_PAGE), MAX_PARTS_PER_PAGE);
  if (!Number.isInteger(marker) || !(maxParts >= 0)) throw new S3Error("InvalidArgument");
  const behind = [...upload.parts.values()]
    .filter(({ partNumber }) => partNumber > marker)
    .sort((a, b) => a.partNumber - b.partNumber);
  const page = behind.slice(0, maxParts);
  const truncated = page.length < behind.length;
  const body = formatXml("ListPartsResult", [
    ["Bucket", bucket.name],
    ["Key", call.key],
    ["UploadId", upload.uploadId],
    ["PartNumberMarker", marker],
    ["NextPartNumberMarker", truncated ? page.at(-1)?.partNumber : undefined],
    ["MaxParts", maxParts],
    ["IsTruncated", truncated],
    ["StorageClass", upload.facts.storageClass],
    ...page.map(({ partNumber, etag, blob, modifiedAt }): XmlElement => [
      "Part",
      [
        ["PartNumber", partNumber],
        ["LastModified", new Date(modifiedAt).toISOString()],
        ["ETag", `"${etag}"`],
        ["Size", blob.size],
      ],
    ]),
  ]);
  return { status: 200, body };
}
