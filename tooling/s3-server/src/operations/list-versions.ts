import type { Bucket, ObjectVersion } from "../bucket.ts";
import { requireBucket, type S3Call, type S3Reply } from "../call.ts";
import { compareKeys, lowerBound } from "../compare-keys.ts";
import { S3Error } from "../s3-error.ts";
import { formatXml, type XmlElement } from "../xml.ts";
import { readListQuery, type ListQuery } from "./list-objects.ts";

export function listObjectVersions(call: S3Call): S3Reply {
  if (call.state.rules.versioning === "none") throw new S3Error("NotImplemented");
  const bucket = requireBucket(call);
  const query = readListQuery(call);
  if (query.delimiter !== "") throw new S3Error("NotImplemented", { details: { Parameter: "delimiter" } });
  const keyMarker = call.parameter("key-marker") ?? "";
  const idMarker = call.parameter("version-id-marker") ?? "";
  const page: ObjectVersion[] = [];
  let truncated = false;
  for (const version of versionsBehind(bucket, query.prefix, { keyMarker, idMarker })) {
    truncated = page.length === query.maxKeys;
    if (truncated) break;
    page.push(version);
  }
  const last = page.at(-1);
  const next: XmlElement[] =
    truncated && last !== undefined
      ? [
          ["NextKeyMarker", query.encode(last.key)],
          ["NextVersionIdMarker", last.versionId],
        ]
      : [];
  const body = formatXml("ListVersionsResult", [
    ["Name", bucket.name],
    ["Prefix", query.encode(query.prefix)],
    ["KeyMarker", query.encode(keyMarker)],
    ["VersionIdMarker", idMarker],
    ...next,
    ["MaxKeys", query.maxKeys],
    ["EncodingType", query.encodingType],
    ["IsTruncated", truncated && query.maxKeys > 0],
    ...page.map((version) => describe(bucket, version, query)),
  ]);
  return { status: 200, body };
}

function* versionsBehind(
  bucket: Bucket,
  prefix: string,
  { keyMarker, idMarker }: { keyMarker: string; idMarker: string },
): Iterable<ObjectVersion> {
  const start = compareKeys(keyMarker, prefix) < 0 ? prefix : keyMarker;
  for (let index = lowerBound(bucket.keys, start); index < bucket.keys.length; index += 1) {
    const key = bucket.keys[index] ?? "";
    if (!key.startsWith(prefix)) return;
    const versions = bucket.versions.get(key) ?? [];
    // Without a version id, the marker's own versions are all behind us.
    const behind =
      idMarker === "" ? versions.length : versions.findIndex(({ versionId }) => versionId === idMarker) + 1;
    yield* key === keyMarker && keyMarker !== "" ? versions.slice(behind) : versions;
  }
}

function describe(bucket: Bucket, version: ObjectVersion, { encode }: ListQuery): XmlElement {
  const common: XmlElement[] = [
    ["Key", encode(version.key)],
    ["VersionId", version.versionId],
    ["IsLatest", bucket.versions.get(version.key)?.[0] === version],
    ["LastModified", new Date(version.modifiedAt).toISOString()],
  ];
  if (version.deleteMarker) return ["DeleteMarker", common];
  return [
    "Version",
    [...common, ["ETag", `"${version.etag}"`], ["Size", version.size], ["StorageClass", version.facts.storageClass]],
  ];
}
