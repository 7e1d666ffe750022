import { S3Error } from "./s3-error.ts";

/** Operation to the IAM action that it needs. */
export const ACTIONS = {
  ListBuckets: "s3:ListAllMyBuckets",
  CreateBucket: "s3:CreateBucket",
  DeleteBucket: "s3:DeleteBucket",
  HeadBucket: "s3:ListBucket",
  GetBucketLocation: "s3:GetBucketLocation",
  GetBucketVersioning: "s3:GetBucketVersioning",
  PutBucketVersioning: "s3:PutBucketVersioning",
  GetBucketLifecycleConfiguration: "s3:GetLifecycleConfiguration",
  PutBucketLifecycleConfiguration: "s3:PutLifecycleConfiguration",
  DeleteBucketLifecycle: "s3:PutLifecycleConfiguration",
  GetObjectLockConfiguration: "s3:GetBucketObjectLockConfiguration",
  PutObjectLockConfiguration: "s3:PutBucketObjectLockConfiguration",
  ListObjectsV2: "s3:ListBucket",
  ListObjectVersions: "s3:ListBucketVersions",
  ListMultipartUploads: "s3:ListBucketMultipartUploads",
  DeleteObjects: "s3:DeleteObject",
  PutObject: "s3:PutObject",
  CopyObject: "s3:PutObject",
  GetObject: "s3:GetObject",
  HeadObject: "s3:GetObject",
  DeleteObject: "s3:DeleteObject",
  RestoreObject: "s3:RestoreObject",
  CreateMultipartUpload: "s3:PutObject",
  UploadPart: "s3:PutObject",
  UploadPartCopy: "s3:PutObject",
  CompleteMultipartUpload: "s3:PutObject",
  AbortMultipartUpload: "s3:AbortMultipartUpload",
  ListParts: "s3:ListMultipartUploadParts",
  GetObjectRetention: "s3:GetObjectRetention",
  PutObjectRetention: "s3:PutObjectRetention",
  GetObjectLegalHold: "s3:GetObjectLegalHold",
  PutObjectLegalHold: "s3:PutObjectLegalHold",
} as const;

export type OperationName = keyof typeof ACTIONS;

type Route = readonly [method: string, parameter: string, operation: OperationName];

/** The first row whose parameter the query has decides; an empty parameter always matches. */
const BUCKET_ROUTES: readonly Route[] = [
  ["GET", "location", "GetBucketLocation"],
  ["GET", "versioning", "GetBucketVersioning"],
  ["PUT", "versioning", "PutBucketVersioning"],
  ["GET", "lifecycle", "GetBucketLifecycleConfiguration"],
  ["PUT", "lifecycle", "PutBucketLifecycleConfiguration"],
  ["DELETE", "lifecycle", "DeleteBucketLifecycle"],
  ["GET", "object-lock", "GetObjectLockConfiguration"],
  ["PUT", "object-lock", "PutObjectLockConfiguration"],
  ["GET", "versions", "ListObjectVersions"],
  ["GET", "uploads", "ListMultipartUploads"],
  ["GET", "list-type", "ListObjectsV2"],
  ["POST", "delete", "DeleteObjects"],
  ["HEAD", "", "HeadBucket"],
  ["PUT", "", "CreateBucket"],
  ["DELETE", "", "DeleteBucket"],
];

const OBJECT_ROUTES: readonly Route[] = [
  ["POST", "uploads", "CreateMultipartUpload"],
  ["POST", "uploadId", "CompleteMultipartUpload"],
  ["POST", "restore", "RestoreObject"],
  ["PUT", "uploadId", "UploadPart"],
  ["GET", "uploadId", "ListParts"],
  ["DELETE", "uploadId", "AbortMultipartUpload"],
  ["GET", "retention", "GetObjectRetention"],
  ["PUT", "retention", "PutObjectRetention"],
  ["GET", "legal-hold", "GetObjectLegalHold"],
  ["PUT", "legal-hold", "PutObjectLegalHold"],
  ["GET", "", "GetObject"],
  ["HEAD", "", "HeadObject"],
  ["PUT", "", "PutObject"],
  ["DELETE", "", "DeleteObject"],
];

/** Sub-resources that real S3 has and this server does not: refused, never mistaken for the plain operation. */
const UNKNOWN_RESOURCES = (
  "accelerate acl append attributes cors encryption logging notification ownershipControls policy publicAccessBlock " +
  "renameObject replication requestPayment select tagging torrent website"
).split(" ");

/** Which operation a request asks for. Throws NotImplemented for what this server does not know. */
export function findOperation(
  method: string,
  target: { bucketName: string; key: string; copies: boolean },
  query: ReadonlySet<string>,
): OperationName {
  const unknown = UNKNOWN_RESOURCES.find((name) => query.has(name));
  if (unknown !== undefined) throw new S3Error("NotImplemented", { details: { Resource: unknown } });
  if (target.bucketName === "") {
    if (method === "GET") return "ListBuckets";
    throw new S3Error("MethodNotAllowed");
  }
  const routes = target.key === "" ? BUCKET_ROUTES : OBJECT_ROUTES;
  const route = routes.find(
    ([routeMethod, parameter]) => routeMethod === method && (parameter === "" || query.has(parameter)),
  );
  if (route === undefined) throw new S3Error(method === "GET" ? "NotImplemented" : "MethodNotAllowed");
  const operation = route[2];
  if (!target.copies) return operation;
  return operation === "PutObject" ? "CopyObject" : operation === "UploadPart" ? "UploadPartCopy" : operation;
}
