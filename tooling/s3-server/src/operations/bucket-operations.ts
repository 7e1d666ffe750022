import { createBucket } from "../bucket.ts";
import { requireBucket, type S3Call, type S3Reply } from "../call.ts";
import { receiveText } from "../receive-body.ts";
import { S3Error } from "../s3-error.ts";
import { formatXml, parseXml, textOf, type XmlElement } from "../xml.ts";

export function listBuckets({ state: { buckets } }: S3Call): S3Reply {
  const elements = [...buckets.values()].map(({ name, createdAt }): XmlElement => [
    "Bucket",
    [
      ["Name", name],
      ["CreationDate", new Date(createdAt).toISOString()],
    ],
  ]);
  return {
    status: 200,
    body: formatXml("ListAllMyBucketsResult", [
      ["Owner", [["ID", "soar"]]],
      ["Buckets", elements],
    ]),
  };
}

export async function createBucketOperation(call: S3Call): Promise<S3Reply> {
  const { buckets, rules, region, now } = call.state;
  await receiveText(call);
  const name = call.bucketName;
  if (!isBucketName(name)) throw new S3Error("InvalidBucketName", { details: { BucketName: name } });
  if (buckets.has(name)) throw new S3Error("BucketAlreadyOwnedByYou", { details: { BucketName: name } });
  const bucket = createBucket(name, region, now());
  const locked = call.header("x-amz-bucket-object-lock-enabled")?.toLowerCase() === "true";
  if (locked && !rules.objectLock) throw new S3Error("NotImplemented");
  if (locked) bucket.objectLock = { rule: undefined };
  if (locked || rules.versioning === "always") bucket.versioning = "Enabled";
  buckets.set(name, bucket);
  return { status: 200, headers: { location: `/${name}` } };
}

/** 3 to 63 lower-case letters, digits, dots and hyphens, beginning and ending with a letter or digit. */
export function isBucketName(name: string): boolean {
  return /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes("..") && !/^\d+\.\d+\.\d+\.\d+$/.test(name);
}

export function deleteBucket(call: S3Call): S3Reply {
  const bucket = requireBucket(call);
  if (bucket.keys.length > 0 || bucket.uploads.size > 0)
    throw new S3Error("BucketNotEmpty", { details: { BucketName: bucket.name } });
  call.state.buckets.delete(bucket.name);
  return { status: 204 };
}

export function headBucket(call: S3Call): S3Reply {
  const { region } = requireBucket(call);
  return { status: 200, headers: { "x-amz-bucket-region": region } };
}

export function getBucketLocation(call: S3Call): S3Reply {
  const { region } = requireBucket(call);
  // The oldest region has no name here.
  const body = formatXml("LocationConstraint", []).replace("></", `>${region === "us-east-1" ? "" : region}</`);
  return { status: 200, body };
}

export function getBucketVersioning(call: S3Call): S3Reply {
  const { versioning } = requireBucket(call);
  requireVersioningSupport(call);
  return { status: 200, body: formatXml("VersioningConfiguration", [["Status", versioning]]) };
}

export async function putBucketVersioning(call: S3Call): Promise<S3Reply> {
  const bucket = requireBucket(call);
  requireVersioningSupport(call);
  const status = textOf(parseXml(await receiveText(call), "VersioningConfiguration"), "Status");
  if (status !== "Enabled" && status !== "Suspended") throw new S3Error("MalformedXML");
  if (status === "Suspended" && (bucket.objectLock !== undefined || call.state.rules.versioning === "always")) {
    throw new S3Error("InvalidBucketState", {
      message: "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
    });
  }
  bucket.versioning = status;
  return { status: 200 };
}

function requireVersioningSupport({ state: { rules } }: S3Call): void {
  if (rules.versioning === "none") throw new S3Error("NotImplemented");
}
