import { readBlobs } from "../blob.ts";
import type { Bucket, ObjectVersion } from "../bucket.ts";
import { requireBucket, type ObjectContent, type S3Call, type S3Reply } from "../call.ts";
import { S3Error } from "../s3-error.ts";
import { requireVersion } from "./find-version.ts";
import { unquote } from "./write-request.ts";

const ARCHIVE_CLASSES = ["GLACIER", "DEEP_ARCHIVE"];

export function getObject(call: S3Call): S3Reply {
  const bucket = requireBucket(call);
  const version = requireVersion(call, bucket);
  if (isNotModified(call, version)) return { status: 304, headers: { etag: `"${version.etag}"` } };
  requireReadable(call, version);
  const range = findRange(call.header("range"), version.size);
  const headers = { ...describeVersion(call, bucket, version), ...overrides(call) };
  if (range === undefined) return { status: 200, headers, body: openContent(version, 0, version.size) };
  const contentRange = `bytes ${range.start}-${range.end - 1}/${version.size}`;
  // A checksum of the whole object says nothing about a part of it.
  const partial = Object.entries(headers).filter(([name]) => !name.startsWith("x-amz-checksum-"));
  return {
    status: 206,
    headers: { ...Object.fromEntries(partial), "content-range": contentRange },
    body: openContent(version, range.start, range.end),
  };
}

export function headObject(call: S3Call): S3Reply {
  const bucket = requireBucket(call);
  const version = requireVersion(call, bucket);
  if (isNotModified(call, version)) return { status: 304, headers: { etag: `"${version.etag}"` } };
  return {
    status: 200,
    headers: { ...describeVersion(call, bucket, version), "content-length": String(version.size) },
  };
}

function openContent({ blobs }: ObjectVersion, start: number, end: number): ObjectContent {
  // Kept while it is read, so that a removal in the meantime does not cut the reader off.
  for (const blob of blobs) blob.retain();
  return {
    length: end - start,
    chunks: readBlobs(blobs, start, end),
    close() {
      for (const blob of blobs) blob.release();
    },
  };
}

function describeVersion(call: S3Call, bucket: Bucket, version: ObjectVersion): Record<string, string> {
  const { facts, retention, restoredUntil } = version;
  return {
    "content-type": "binary/octet-stream",
    "accept-ranges": "bytes",
    ...facts.headers,
    ...facts.encryption,
    etag: `"${version.etag}"`,
    "last-modified": new Date(version.modifiedAt).toUTCString(),
    ...(facts.storageClass !== "STANDARD" && { "x-amz-storage-class": facts.storageClass }),
    ...(bucket.versioning !== undefined && { "x-amz-version-id": version.versionId }),
    ...(retention !== undefined && {
      "x-amz-object-lock-mode": retention.mode,
      "x-amz-object-lock-retain-until-date": new Date(retention.until).toISOString(),
    }),
    ...(version.legalHold && { "x-amz-object-lock-legal-hold": "ON" }),
    ...(restoredUntil !== undefined && {
      "x-amz-restore": `ongoing-request="false", expiry-date="${new Date(restoredUntil).toUTCString()}"`,
    }),
    ...(call.header("x-amz-checksum-mode") === "ENABLED" &&
      call.state.rules.checksumHeaders === "verified" &&
      facts.checksums),
  };
}

function overrides(call: S3Call): Record<string, string> {
  const names = ["content-type", "content-disposition", "content-encoding", "cache-control"];
  return Object.fromEntries(
    names.flatMap((name) => [[name, call.parameter(`response-${name}`)]]).filter(([, value]) => value !== undefined),
  );
}

/** Objects of archive classes must be restored before they can be read; GLACIER_IR is not one of them. */
function requireReadable(call: S3Call, { facts: { storageClass }, restoredUntil }: ObjectVersion): void {
  if (!ARCHIVE_CLASSES.includes(storageClass)) return;
  if (restoredUntil !== undefined && call.state.now() < restoredUntil) return;
  throw new S3Error("InvalidObjectState", { details: { StorageClass: storageClass } });
}

/** True for 304; throws PreconditionFailed for 412. */
function isNotModified(call: S3Call, { etag, modifiedAt }: ObjectVersion): boolean {
  const matches = (header: string): boolean =>
    header === "*" || header.split(",").some((candidate) => unquote(candidate) === etag);
  const [ifMatch, ifNoneMatch] = [call.header("if-match"), call.header("if-none-match")];
  const seconds = Math.floor(modifiedAt / 1000) * 1000;
  const unmodifiedSince = Date.parse(call.header("if-unmodified-since") ?? "");
  const modifiedSince = Date.parse(call.header("if-modified-since") ?? "");
  if (ifMatch !== undefined ? !matches(ifMatch) : seconds > unmodifiedSince) {
    throw new S3Error("PreconditionFailed", {
      details: { Condition: ifMatch === undefined ? "If-Unmodified-Since" : "If-Match" },
    });
  }
  return ifNoneMatch === undefined ? seconds <= modifiedSince : matches(ifNoneMatch);
}

/** A range that S3 does not understand, or several at once, give the whole object. */
function findRange(header: string | undefined, size: number): { start: number; end: number } | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  const start = first === "" ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(Number(last) + 1, size);
  if (first !== "" && last !== "" && Number(last) < start) return undefined;
  if (start >= size || (first === "" && Number(last) === 0)) {
    throw new S3Error("InvalidRange", {
      details: { RangeRequested: header ?? "", ActualObjectSize: String(size) },
      headers: { "content-range": `bytes */${size}` },
    });
  }
  return { start, end };
}
