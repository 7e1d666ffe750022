import { randomBytes } from "node:crypto";
import type { Blob } from "./blob.ts";
import type { ChecksumAlgorithm } from "./checksums.ts";
import { lowerBound } from "./compare-keys.ts";
import type { XmlNode } from "./xml.ts";

/** One version of an object: its bytes and facts, or a delete marker. */
export interface ObjectVersion {
  readonly key: string;
  /** `null` (the word) while the bucket has no versioning. */
  readonly versionId: string;
  readonly deleteMarker: boolean;
  readonly blobs: readonly Blob[];
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
  /** Number of the request that made it, which tells which of two began first. */
  readonly begun: number;
  readonly facts: ObjectFacts;
  retention: Retention | undefined;
  legalHold: boolean;
  /** Set once RestoreObject has thawed an archived object. */
  restoredUntil: number | undefined;
}

/** What a writer said about an object and a reader is told again. */
export interface ObjectFacts {
  readonly storageClass: string;
  /** content-type, cache-control and the like, and x-amz-meta-*. */
  readonly headers: Readonly<Record<string, string>>;
  readonly encryption: Readonly<Record<string, string>>;
  /** By header name, for example `x-amz-checksum-crc32`. */
  readonly checksums: Readonly<Record<string, string>>;
  readonly partsCount?: number;
}

export interface Retention {
  readonly mode: "GOVERNANCE" | "COMPLIANCE";
  /** Milliseconds since 1970. */
  readonly until: number;
}

export interface Part {
  readonly partNumber: number;
  readonly blob: Blob;
  readonly etag: string;
  readonly modifiedAt: number;
  readonly checksums: Readonly<Record<string, string>>;
}

export interface Upload {
  readonly uploadId: string;
  readonly key: string;
  readonly initiatedAt: number;
  readonly facts: ObjectFacts;
  readonly retention: Retention | undefined;
  readonly legalHold: boolean;
  /** Of x-amz-checksum-algorithm: every part must then bring one. */
  readonly checksumAlgorithm: ChecksumAlgorithm | undefined;
  readonly parts: Map<number, Part>;
}

export interface ObjectLockRule {
  readonly mode: Retention["mode"];
  readonly days: number;
}

/** A bucket: versions by key, in listing order, and its configuration. */
export interface Bucket {
  readonly name: string;
  readonly region: string;
  readonly createdAt: number;
  /** Ascending by UTF-8 bytes; holds every key that has a version, deleted or not. */
  readonly keys: string[];
  /** Newest first; never empty. */
  readonly versions: Map<string, ObjectVersion[]>;
  readonly uploads: Map<string, Upload>;
  /** ETags of what became of uploads that were completed, by id. */
  readonly completed: Map<string, string>;
  versioning: "Enabled" | "Suspended" | undefined;
  lifecycle: XmlNode | undefined;
  objectLock: { rule: ObjectLockRule | undefined } | undefined;
  /** Bytes of all versions and parts, for the quota. */
  storedBytes: number;
}

export function createBucket(name: string, region: string, createdAt: number): Bucket {
  return {
    name,
    region,
    createdAt,
    keys: [],
    versions: new Map(),
    uploads: new Map(),
    completed: new Map(),
    versioning: undefined,
    lifecycle: undefined,
    objectLock: undefined,
    storedBytes: 0,
  };
}

/** The object that readers of the bare key see, unless it was deleted. */
export function currentVersion(bucket: Bucket, key: string): ObjectVersion | undefined {
  const newest = bucket.versions.get(key)?.[0];
  return newest?.deleteMarker === true ? undefined : newest;
}

/** The id that the next version of an object gets. */
export function nextVersionId(bucket: Bucket): string {
  return bucket.versioning === "Enabled" ? randomBytes(16).toString("base64url") : "null";
}

/** Makes a version the newest of its key. One with the same id (`null`) is replaced. */
export function addVersion(bucket: Bucket, version: ObjectVersion): void {
  const existing = bucket.versions.get(version.key);
  if (existing === undefined) {
    bucket.keys.splice(lowerBound(bucket.keys, version.key), 0, version.key);
    bucket.versions.set(version.key, [version]);
  } else {
    const replaced = existing.findIndex(({ versionId }) => versionId === version.versionId);
    if (replaced >= 0) releaseVersions(bucket, existing.splice(replaced, 1));
    existing.unshift(version);
  }
  bucket.storedBytes += version.size;
}

/** Removes one version for good. */
export function removeVersion(bucket: Bucket, version: ObjectVersion): void {
  const versions = bucket.versions.get(version.key) ?? [];
  const index = versions.indexOf(version);
  if (index < 0) return;
  releaseVersions(bucket, versions.splice(index, 1));
  if (versions.length > 0) return;
  bucket.versions.delete(version.key);
  bucket.keys.splice(lowerBound(bucket.keys, version.key), 1);
}

/** Removes an upload and gives its parts back. */
export function removeUpload(bucket: Bucket, upload: Upload): void {
  bucket.uploads.delete(upload.uploadId);
  for (const { blob } of upload.parts.values()) releaseBlob(bucket, blob);
  upload.parts.clear();
}

export function releaseBlob(bucket: Bucket, blob: Blob): void {
  bucket.storedBytes -= blob.size;
  blob.release();
}

function releaseVersions(bucket: Bucket, versions: readonly ObjectVersion[]): void {
  for (const version of versions) {
    bucket.storedBytes -= version.size;
    for (const blob of version.blobs) blob.release();
  }
}
