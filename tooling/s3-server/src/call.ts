import type { IncomingMessage, ServerResponse } from "node:http";
import type { BlobSpace } from "./blob.ts";
import type { Bucket } from "./bucket.ts";
import type { S3Credential } from "./credential.ts";
import type { ActiveFault } from "./fault.ts";
import type { ParsedRequest } from "./parse-request.ts";
import type { ProfileRules } from "./profile-rules.ts";
import type { S3RequestLog } from "./request-log.ts";
import { S3Error } from "./s3-error.ts";

/** What all requests share. */
export interface ServerState {
  readonly rules: ProfileRules;
  readonly region: string;
  readonly buckets: Map<string, Bucket>;
  readonly credentials: S3Credential[];
  readonly space: BlobSpace;
  /** ETags are MD5 as on AWS, or random (like those of KMS objects), which saves the hashing in benchmarks. */
  readonly etags: "md5" | "opaque" | "empty";
  /** Most entries of one page of a listing: 1,000 on real servers, which may also return fewer than asked. */
  readonly pageSize: number;
  /** Bytes over all buckets. */
  quotaBytes: number;
  /** The server's clock, in milliseconds since 1970. */
  readonly now: () => number;
}

/** How the caller vouches for the body. */
export interface PayloadProof {
  /** Value of x-amz-content-sha256. */
  readonly payloadHash: string;
  /** For signed chunks: the key, the scope and the signature that the first chunk's follows. */
  readonly signing:
    | { readonly key: Buffer; readonly scope: string; readonly timestamp: string; readonly seed: string }
    | undefined;
}

/** One request under way, authenticated. */
export interface S3Call extends ParsedRequest {
  readonly state: ServerState;
  readonly caller: S3Credential;
  readonly proof: PayloadProof;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly log: S3RequestLog;
  readonly fault: ActiveFault | undefined;
  /** Sends `100 Continue` to a client that waits for it. */
  readonly acceptBody: () => void;
}

/** An answer, before faults get at it. */
export interface S3Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | ObjectContent;
}

/** Object bytes to be sent. `close` is called once, whatever happens. */
export interface ObjectContent {
  readonly length: number;
  readonly chunks: AsyncIterable<Uint8Array>;
  close(): void;
}

export type Operation = (call: S3Call) => Promise<S3Reply> | S3Reply;

/** The bucket of the request. Throws NoSuchBucket, or PermanentRedirect when it lives in another region. */
export function requireBucket(call: S3Call): Bucket {
  const bucket = call.state.buckets.get(call.bucketName);
  if (bucket === undefined) throw new S3Error("NoSuchBucket", { details: { BucketName: call.bucketName } });
  return bucket;
}
