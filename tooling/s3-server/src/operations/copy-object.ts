import { readBlobs } from "../blob.ts";
import type { Bucket, ObjectVersion } from "../bucket.ts";
import { requireBucket, type S3Call, type S3Reply } from "../call.ts";
import { mayAccess } from "../credential.ts";
import { refusalOf, S3Error } from "../s3-error.ts";
import { formatXml } from "../xml.ts";
import { requireVersion } from "./find-version.ts";
import { readPartNumber, replacePart, requireUpload } from "./multipart.ts";
import { commitObject, versionHeaders } from "./put-object.ts";
import { checkWriteConditions, etagOf, readWriteFacts, storeBlob } from "./write-request.ts";
import { createHash } from "node:crypto";

const MAX_COPY_SIZE = 5 * 1024 ** 3;

export function copyObject(call: S3Call): S3Reply {
  const bucket = requireBucket(call);
  const source = requireSource(call);
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
  if (source.size > MAX_COPY_SIZE) {
    throw new S3Error("InvalidRequest", {
      message: `The specified copy source is larger than the maximum allowable size for a copy source: ${MAX_COPY_SIZE}`,
    });
  }
  const write = readWriteFacts(call, bucket);
  const replaces = call.header("x-amz-metadata-directive") === "REPLACE";
  checkSelfCopy(call, source, bucket, replaces);
  checkWriteConditions(call, bucket);
  const facts = {
    ...write.facts,
    headers: replaces ? write.facts.headers : source.facts.headers,
    checksums: source.facts.checksums,
  };
  const version = commitObject(call, bucket, { ...write, facts, etag: source.etag, blobs: source.blobs });
  const body = formatXml("CopyObjectResult", [
    ["LastModified", new Date(version.modifiedAt).toISOString()],
    ["ETag", `"${version.etag}"`],
  ]);
  return { status: 200, headers: versionHeaders(bucket, version), body };
}

export async function uploadPartCopy(call: S3Call): Promise<S3Reply> {
  const bucket = requireBucket(call);
  const upload = requireUpload(call, bucket);
  const partNumber = readPartNumber(call);
  const source = requireSource(call);
  const { start, end } = copyRange(call.header("x-amz-copy-source-range"), source.size);
  const md5 = createHash("md5");
  const { blob } = await storeBlob(call, bucket, async (writer) => {
    for await (const chunk of readBlobs(source.blobs, start, end)) {
      md5.update(chunk);
      await writer.write(chunk);
    }
  });
  const part = {
    partNumber,
    blob,
    etag: etagOf(call, upload.facts, md5.digest()),
    modifiedAt: call.state.now(),
    checksums: {},
  };
  replacePart(bucket, upload, part);
  const body = formatXml("CopyPartResult", [
    ["LastModified", new Date(part.modifiedAt).toISOString()],
    ["ETag", `"${part.etag}"`],
  ]);
  return { status: 200, headers: { ...upload.facts.encryption }, body };
}

/** The object that x-amz-copy-source names. The caller needs the right to read it. */
function requireSource(call: S3Call): ObjectVersion {
  const header = call.header("x-amz-copy-source") ?? "";
  const [location = "", versionQuery] = header.split("?versionId=");
  const path = decodeURIComponent(location).replace(/^\//, "");
  const slash = path.indexOf("/");
  if (slash < 1) throw new S3Error("InvalidArgument", { message: "Invalid copy source object key" });
  const bucketName = path.slice(0, slash);
  const key = path.slice(slash + 1);
  if (!mayAccess(call.caller, { action: "s3:GetObject", bucket: bucketName, key })) throw new S3Error("AccessDenied");
  const parameter = (name: string): string | undefined => (name === "versionId" ? versionQuery : undefined);
  const source: S3Call = { ...call, bucketName, key, parameter };
  return requireVersion(source, requireBucket(source));
}

function checkSelfCopy(call: S3Call, source: ObjectVersion, bucket: Bucket, replaces: boolean): void {
  const changes = ["x-amz-storage-class", "x-amz-server-side-encryption"].some(
    (name) => call.header(name) !== undefined,
  );
  if (bucket.versions.get(call.key)?.[0] !== source || replaces || changes) return;
  throw new S3Error("InvalidRequest", {
    message:
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
  });
}

function copyRange(header: string | undefined, size: number): { start: number; end: number } {
  if (header === undefined) return { start: 0, end: size };
  const match = /^bytes=(\d+)-(\d+)$/.exec(header);
  const start = Number(match?.[1]);
  const end = Number(match?.[2]) + 1;
  if (!(start < end && end <= size)) {
    throw new S3Error("InvalidArgument", {
      message:
        "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
    });
  }
  return { start, end };
}
