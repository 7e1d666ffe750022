import { createHash, randomBytes } from "node:crypto";
import { removeUpload, type Bucket, type Part, type Upload } from "../bucket.ts";
import { requireBucket, type S3Call, type S3Reply } from "../call.ts";
import { CHECKSUM_HEADER, createChecksum } from "../checksums.ts";
import type { EtagForm } from "../profile-rules.ts";
import { receiveText } from "../receive-body.ts";
import { refusalOf, S3Error } from "../s3-error.ts";
import { childrenOf, formatXml, parseXml, textOf, type XmlNode } from "../xml.ts";
import { requireUpload } from "./multipart.ts";
import { commitObject, versionHeaders } from "./put-object.ts";
import { checkCompletionConditions, unquote } from "./write-request.ts";

export async function completeMultipartUpload(call: S3Call): Promise<S3Reply> {
  const bucket = requireBucket(call);
  const { endedUpload } = call.state.rules;
  const earlier = bucket.completed.get(call.parameter("uploadId") ?? "");
  if (earlier !== undefined && endedUpload.again === "answered") {
    await receiveText(call);
    return { status: 200, body: completionResult(call, earlier, endedUpload.etags[1]) };
  }
  const upload = requireUpload(call, bucket, endedUpload.complete);
  const document = parseXml(await receiveText(call), "CompleteMultipartUpload");
  const fault = call.fault?.fault;
  if (fault?.type === "error-in-200") {
    const { code, message } = refusalOf("InternalError");
    return {
      status: 200,
      body: formatXml("Error", [
        ["Code", fault.code ?? code],
        ["Message", fault.message ?? message],
      ]),
    };
  }
  if (!bucket.uploads.has(upload.uploadId))
    throw new S3Error(endedUpload.complete, { details: { UploadId: upload.uploadId } });
  const parts = selectParts(call, upload, childrenOf(document, "Part"));
  checkDeclaredSize(call, parts);
  checkCompletionConditions(call, bucket);
  const facts = { ...upload.facts, checksums: compositeChecksum(call, upload, parts), partsCount: parts.length };
  const blobs = parts.map(({ blob }) => blob);
  const version = commitObject(call, bucket, { ...upload, facts, blobs, etag: multipartEtag(call, parts) });
  removeUpload(bucket, upload);
  bucket.completed.set(upload.uploadId, version.etag);
  return {
    status: 200,
    headers: versionHeaders(bucket, version),
    body: completionResult(call, version.etag, endedUpload.etags[0]),
  };
}

function completionResult(call: S3Call, etag: string, form: EtagForm): string {
  return formatXml("CompleteMultipartUploadResult", [
    ["Location", `http://${call.header("host") ?? ""}/${call.bucketName}/${call.key}`],
    ["Bucket", call.bucketName],
    ["Key", call.key],
    ["ETag", written(etag, form)],
  ]);
}

function written(etag: string, form: EtagForm): string {
  switch (form) {
    case "quoted":
      return `"${etag}"`;
    case "plain":
      return etag;
    case "empty":
      return "";
    case "other":
      return `"${randomBytes(16).toString("hex")}"`;
  }
}

/** The parts that the request lists, checked as S3 checks them: order, existence, ETag, size. */
function selectParts(call: S3Call, upload: Upload, nodes: readonly XmlNode[]): Part[] {
  const { maxParts, minPartSize, equalParts } = call.state.rules;
  if (nodes.length === 0) throw new S3Error("MalformedXML");
  if (nodes.length > maxParts) throw new S3Error(call.state.rules.tooManyParts);
  let previous = 0;
  const parts = nodes.map((node) => {
    const partNumber = Number(textOf(node, "PartNumber"));
    if (!(partNumber > previous)) throw new S3Error("InvalidPartOrder", { details: { UploadId: upload.uploadId } });
    previous = partNumber;
    return requirePart(upload, partNumber, node);
  });
  const small = parts.slice(0, -1).find(({ blob }) => blob.size < minPartSize);
  if (small !== undefined) {
    const details = {
      ProposedSize: String(small.blob.size),
      MinSizeAllowed: String(minPartSize),
      PartNumber: String(small.partNumber),
      ETag: small.etag,
    };
    throw new S3Error("EntityTooSmall", { details });
  }
  const first = parts[0]?.blob.size ?? 0;
  if (
    equalParts &&
    (parts.slice(0, -1).some(({ blob }) => blob.size !== first) || (parts.at(-1)?.blob.size ?? 0) > first)
  ) {
    throw new S3Error("InvalidPart", { message: "All non-trailing parts must have the same length." });
  }
  return parts;
}

function requirePart(upload: Upload, partNumber: number, node: XmlNode): Part {
  const part = upload.parts.get(partNumber);
  const etag = unquote(textOf(node, "ETag") ?? "");
  const wrongChecksum = node.children.some(({ name, text }) => {
    if (!name.startsWith("Checksum") || part === undefined) return false;
    return part.checksums[`${CHECKSUM_HEADER}${name.slice("Checksum".length).toLowerCase()}`] !== text.trim();
  });
  if (part === undefined || part.etag !== etag || wrongChecksum) {
    throw new S3Error("InvalidPart", {
      details: { UploadId: upload.uploadId, PartNumber: String(partNumber), ETag: etag },
    });
  }
  return part;
}

/** A client may say how large the result has to be. */
function checkDeclaredSize(call: S3Call, parts: readonly Part[]): void {
  const declared = call.header("x-amz-mp-object-size");
  const size = parts.reduce((sum, { blob }) => sum + blob.size, 0);
  if (declared !== undefined && Number(declared) !== size) {
    throw new S3Error("InvalidRequest", {
      message: "The provided 'x-amz-mp-object-size' header does not match what was computed.",
    });
  }
}

function multipartEtag({ state }: S3Call, parts: readonly Part[]): string {
  const [first] = parts;
  if (first !== undefined && parts.length === 1 && state.rules.onePartEtag === "part") return first.etag;
  if (state.etags === "empty") return "";
  if (state.etags === "opaque") return `${randomBytes(16).toString("hex")}-${parts.length}`;
  const hash = createHash("md5");
  for (const { etag } of parts) hash.update(Buffer.from(etag, "hex"));
  return `${hash.digest("hex")}-${parts.length}`;
}

/** The checksum of the parts' checksums, when the upload was begun with an algorithm. */
function compositeChecksum(call: S3Call, upload: Upload, parts: readonly Part[]): Record<string, string> {
  const { checksumAlgorithm } = upload;
  if (checksumAlgorithm === undefined) return {};
  const name = `${CHECKSUM_HEADER}${checksumAlgorithm}`;
  const checksum = createChecksum(checksumAlgorithm);
  for (const part of parts) {
    const value = part.checksums[name];
    if (value === undefined) {
      throw new S3Error("InvalidRequest", {
        message: `The upload was created using a ${checksumAlgorithm} checksum. The complete request must include the checksum for each part. It was missing for part ${part.partNumber} in the request.`,
      });
    }
    checksum.update(Buffer.from(value, "base64"));
  }
  return { [name]: `${checksum.digest().toString("base64")}-${parts.length}` };
}

/** Uploads of a bucket in listing order: by key, then by age. */
export function uploadsInOrder(bucket: Bucket, compare: (a: string, b: string) => number): Upload[] {
  return [...bucket.uploads.values()].sort(
    (a, b) => compare(a.key, b.key) || a.initiatedAt - b.initiatedAt || compare(a.uploadId, b.uploadId),
  );
}
