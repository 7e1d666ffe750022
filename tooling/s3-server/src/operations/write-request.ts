import { randomBytes } from "node:crypto";
import type { Blob, BlobWriter } from "../blob.ts";
import { currentVersion, type Bucket, type ObjectFacts, type Retention } from "../bucket.ts";
import type { S3Call, ServerState } from "../call.ts";
import { receiveBody, type ReceivedBody } from "../receive-body.ts";
import type { ProfileRules } from "../profile-rules.ts";
import { refusalOf, S3Error, type Refusal } from "../s3-error.ts";
import { readRetention } from "./object-lock.ts";

const KEPT_HEADERS = [
  "content-type",
  "content-encoding",
  "content-language",
  "content-disposition",
  "cache-control",
  "expires",
];

/** What PutObject, CopyObject and CreateMultipartUpload say about the object to be. */
export interface WriteFacts {
  readonly facts: ObjectFacts;
  readonly retention: Retention | undefined;
  readonly legalHold: boolean;
}

export function readWriteFacts(call: S3Call, bucket: Bucket): WriteFacts {
  const { rules } = call.state;
  const storageClass = call.header("x-amz-storage-class") ?? rules.storageClasses[0] ?? "STANDARD";
  if (!rules.storageClasses.includes(storageClass))
    throw new S3Error("InvalidStorageClass", { details: { StorageClassRequested: storageClass } });
  const kept = call.headerNames.filter((name) => KEPT_HEADERS.includes(name) || name.startsWith("x-amz-meta-"));
  const headers = Object.fromEntries(kept.map((name) => [name, withoutAwsChunked(name, call.header(name) ?? "")]));
  return {
    facts: { storageClass, headers, encryption: readEncryption(call), checksums: {} },
    ...readRetention(call, bucket),
  };
}

/** The transfer form is not a property of the object. */
function withoutAwsChunked(name: string, value: string): string {
  return name === "content-encoding" ? value.replace(/^aws-chunked,?\s*/, "") : value;
}

function readEncryption(call: S3Call): Record<string, string> {
  const mode = call.header("x-amz-server-side-encryption");
  const keyId = call.header("x-amz-server-side-encryption-aws-kms-key-id");
  if (mode === undefined) {
    if (keyId === undefined) return {};
    throw new S3Error("InvalidArgument", {
      message: "The SSE KMS key id was given without x-amz-server-side-encryption: aws:kms.",
    });
  }
  if (mode === "AES256") return { "x-amz-server-side-encryption": mode };
  if (mode !== "aws:kms")
    throw new S3Error("InvalidArgument", { message: "The encryption method specified is not supported" });
  if (!call.state.rules.kms)
    throw new S3Error("NotImplemented", { details: { Header: "x-amz-server-side-encryption" } });
  const id = keyId ?? `arn:aws:kms:${call.state.region}:111122223333:alias/aws/s3`;
  return { "x-amz-server-side-encryption": mode, "x-amz-server-side-encryption-aws-kms-key-id": id };
}

/** Receives a body into a new blob. Nothing is kept when the body turns out to be wrong. The caller owns the blob. */
export async function storeBody(call: S3Call, bucket: Bucket): Promise<{ blob: Blob; received: ReceivedBody }> {
  checkQuota(call);
  const fault = call.fault?.fault;
  let room = fault?.type === "short-write" ? fault.keepBytes : Infinity;
  return await storeBlob(call, bucket, (writer) =>
    receiveBody(call, (chunk) => {
      const kept = room >= chunk.length ? chunk : chunk.subarray(0, room);
      room -= kept.length;
      return kept.length === 0 ? undefined : writer.write(kept);
    }),
  );
}

/** Makes a blob of what `write` writes, and nothing when that fails. The caller owns the blob. */
export async function storeBlob<T>(
  call: S3Call,
  bucket: Bucket,
  write: (writer: BlobWriter) => Promise<T>,
): Promise<{ blob: Blob; received: T }> {
  const writer = call.state.space.create();
  try {
    const received = await write(writer);
    const blob = await writer.finish();
    bucket.storedBytes += blob.size;
    return { blob, received };
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

function checkQuota({ state, header }: S3Call): void {
  const size = Number(header("x-amz-decoded-content-length") ?? header("content-length") ?? 0);
  if (size > roomLeft(state)) throw new S3Error(state.rules.overQuota);
}

/** Bytes that still fit below the quota. */
function roomLeft({ buckets, quotaBytes }: ServerState): number {
  return [...buckets.values()].reduce((room, { storedBytes }) => room - storedBytes, quotaBytes);
}

/** MD5 where S3 promises it: not for KMS, and not when the server was told to save the hashing. */
export function etagOf({ state }: S3Call, { encryption }: ObjectFacts, md5: Buffer | undefined): string {
  if (state.etags === "empty") return "";
  const isMd5 = state.etags === "md5" && encryption["x-amz-server-side-encryption"] !== "aws:kms";
  return isMd5 && md5 !== undefined ? md5.toString("hex") : randomBytes(16).toString("hex");
}

/**
 * Throws PreconditionFailed when the conditions of a PUT do not hold now. Synchronous, like the commit that follows it:
 * between the two no other request gets its turn, which makes the decision atomic.
 */
export function checkWriteConditions(call: S3Call, bucket: Bucket): void {
  checkConditions(call, bucket, call.state.rules.conditionalPut, refusalOf("PreconditionFailed"));
}

/** The same for the completion of an upload. */
export function checkCompletionConditions(call: S3Call, bucket: Bucket): void {
  const { conditionalComplete, completionPrecondition } = call.state.rules;
  checkConditions(call, bucket, conditionalComplete, completionPrecondition);
}

function checkConditions(call: S3Call, bucket: Bucket, rule: ProfileRules["conditionalPut"], failed: Refusal): void {
  const ifNoneMatch = call.header("if-none-match");
  const ifMatch = call.header("if-match");
  if ((ifNoneMatch === undefined && ifMatch === undefined) || rule === "ignored") return;
  if (rule !== "honoured")
    throw new S3Error(rule, {
      details: { Header: ifNoneMatch === undefined ? "If-Match" : "If-None-Match" },
    });
  const current = currentVersion(bucket, call.key);
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch !== "*") throw new S3Error("NotImplemented", { details: { Header: "If-None-Match" } });
    if (current !== undefined) throw new S3Error(failed, { details: { Condition: "If-None-Match" } });
  }
  if (ifMatch !== undefined) {
    if (current === undefined) throw new S3Error("NoSuchKey", { details: { Key: call.key } });
    if (unquote(ifMatch) !== current.etag) throw new S3Error(failed, { details: { Condition: "If-Match" } });
  }
}

export function unquote(etag: string): string {
  return etag.trim().replace(/^"|"$/g, "");
}
