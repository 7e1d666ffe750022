import type { AnswerBody } from "./transport-response.ts";
import type { HabitName } from "../../server-habits.ts";

/**
 * The S3 protocol as plain values: what the store needs of it, without a type of the SDK. Every method rejects with an `S3Failure`, and does one request
 * unless the server wants to be asked otherwise.
 */
export interface S3Wire {
  putObject(request: WirePut): Promise<WireStored>;
  getObject(request: WireGet): Promise<WireObject>;
  headObject(request: WireKey): Promise<WireFacts>;
  headBucket(request: WireCall): Promise<void>;
  listPage(request: WireListRequest): Promise<WirePage>;
  createUpload(request: WireKey): Promise<string | undefined>;
  uploadPart(request: WirePart): Promise<WireStored>;
  completeUpload(request: WireComplete): Promise<WireStored>;
  abortUpload(request: WireUpload): Promise<void>;
  /** Asks for one part only: the question is whether the upload is still there. */
  listParts(request: WireUpload): Promise<void>;
  listUploads(request: WireUploadsRequest): Promise<WireUploadsPage>;
  deleteObject(request: WireKey): Promise<void>;
  deleteObjects(request: WireDelete): Promise<WireDeleted>;
  close(): void;
}

/** The same before it is decided how bodies are sent. `sdk-wire.ts` implements it. */
export interface RawS3Wire extends Omit<S3Wire, "putObject" | "uploadPart"> {
  putObject(request: WirePut & BodyManner): Promise<WireStored>;
  uploadPart(request: WirePart & BodyManner): Promise<WireStored>;
}

/** How a body is proved and announced, which servers differ in. */
export interface BodyManner {
  /** Signs the body's SHA-256 instead of saying `UNSIGNED-PAYLOAD`. */
  readonly signBody: boolean;
  readonly sendMd5: boolean;
  /** Sends `Expect: 100-continue`. */
  readonly expectContinue: boolean;
  /** Told once the answer is there: the body was sent after "100 Continue", without it, or not at all. */
  readonly onExpectation: (outcome: Expectation) => void;
}

export type Expectation = "continued" | "waited in vain" | "refused";

export interface WireCall {
  readonly signal: AbortSignal | undefined;
}

export interface WireKey extends WireCall {
  readonly key: string;
}

export interface WirePut extends WireKey {
  readonly body: Uint8Array;
  /** MD5 of the body in base64. */
  readonly contentMd5: string;
  /** Sends `If-None-Match: *`. */
  readonly ifNoneMatch: boolean;
  /** Awaited when the server has begun to take the body, before the second half of it is sent. */
  readonly whenBegun?: (() => Promise<void>) | undefined;
}

export interface WireStored {
  /** Without quotes; empty in a proper answer of a server that leaves it empty (Ceph 16 and 18 at times). */
  readonly etag: string | undefined;
  /** Value of `x-amz-server-side-encryption`, or "SSE-C". */
  readonly encryption: string | undefined;
  /** The server's clock when it answered; undefined where the answer has no date. */
  readonly answeredAt: Date | undefined;
}

export interface WireFacts {
  readonly size: number | undefined;
  readonly modifiedAt: Date | undefined;
  readonly etag: string | undefined;
  readonly storageClass: string | undefined;
}

export interface WireGet extends WireKey {
  /** Value of the `Range` header. */
  readonly range: string | undefined;
  /** As in `GetOptions`. */
  readonly whole?: boolean | undefined;
}

export interface WireObject extends Omit<WireFacts, "size"> {
  readonly status: number;
  readonly contentLength: number | undefined;
  readonly contentRange: string | undefined;
  readonly body: AnswerBody;
  /** Closes the connection, for a body that will not be read. */
  readonly discard: () => void;
}

export interface WireListRequest extends WireCall {
  readonly prefix: string;
  readonly startAfter: string | undefined;
  readonly token: string | undefined;
  /** Most keys of the page. */
  readonly maxKeys: number;
}

export interface WirePage {
  readonly objects: readonly { readonly key: string | undefined; readonly facts: WireFacts }[];
  readonly keyCount: number | undefined;
  readonly truncated: boolean | undefined;
  readonly nextToken: string | undefined;
}

export interface WireUpload extends WireKey {
  readonly uploadId: string;
}

export interface WirePart extends WireUpload {
  readonly partNumber: number;
  readonly body: Uint8Array;
  readonly contentMd5: string;
}

export interface WireComplete extends WireUpload {
  readonly parts: readonly { readonly partNumber: number; readonly etag: string }[];
  readonly ifNoneMatch: boolean;
}

export interface WireUploadsRequest extends WireCall {
  readonly prefix: string;
  readonly keyMarker: string | undefined;
  readonly uploadIdMarker: string | undefined;
}

export interface WireUploadsPage {
  readonly uploads: readonly {
    readonly key: string | undefined;
    readonly uploadId: string | undefined;
    readonly begunAt: Date | undefined;
  }[];
  readonly truncated: boolean | undefined;
  readonly nextKeyMarker: string | undefined;
  readonly nextUploadIdMarker: string | undefined;
}

export interface WireDelete extends WireCall {
  readonly keys: readonly string[];
}

/** What became of each key; failures of single keys arrive inside of a 200. */
export interface WireDeleted {
  readonly removed: readonly string[];
  readonly failures: readonly WireKeyFailure[];
}

export interface WireKeyFailure {
  readonly key: string;
  readonly code: string;
  readonly message: string;
}

/** What went wrong with one request, before anybody decided what it means. */
export interface S3FailureFacts {
  /** HTTP status, when there was an answer. */
  readonly status?: number | undefined;
  /** S3's error code, or the system's, or the transport's. */
  readonly code: string;
  /** The region that the server names as the right one. */
  readonly region?: string | undefined;
  readonly requestId?: string | undefined;
  /** How far the time that the request was signed with was ahead of the server's clock, in milliseconds. */
  readonly signedAheadMs?: number | undefined;
  /** What was done the other way, too, and refused as well. */
  readonly triedOtherwise?: readonly HabitName[] | undefined;
  readonly cause?: unknown;
}

export class S3Failure extends Error {
  override readonly name = "S3Failure";
  readonly facts: S3FailureFacts;

  constructor(message: string, facts: S3FailureFacts) {
    super(message, { cause: facts.cause });
    this.facts = facts;
  }
}

/** True for a failure with this status, or one of these codes. */
export function isS3Failure(error: unknown, status: number, ...codes: readonly string[]): error is S3Failure {
  return error instanceof S3Failure && (error.facts.status === status || codes.includes(error.facts.code));
}
