import { answeredAt, signedAtOf } from "./sdk-times.ts";
import {
  S3Failure,
  type WireDeleted,
  type WireFacts,
  type WirePage,
  type WireStored,
  type WireUploadsPage,
} from "./wire.ts";

/** The fields of the SDK's answers that are read here; the SDK itself is imported by one file only. */
interface SdkStored {
  readonly ETag?: string | undefined;
  readonly ServerSideEncryption?: string | undefined;
  readonly SSECustomerAlgorithm?: string | undefined;
}

interface SdkFacts {
  readonly LastModified?: Date | undefined;
  readonly ETag?: string | undefined;
  readonly StorageClass?: string | undefined;
}

interface SdkPage {
  readonly Contents?:
    | readonly (SdkFacts & { readonly Key?: string | undefined; readonly Size?: number | undefined })[]
    | undefined;
  readonly EncodingType?: string | undefined;
  readonly KeyCount?: number | undefined;
  readonly IsTruncated?: boolean | undefined;
  readonly NextContinuationToken?: string | undefined;
}

interface SdkUploadsPage {
  readonly Uploads?:
    | readonly {
        readonly Key?: string | undefined;
        readonly UploadId?: string | undefined;
        readonly Initiated?: Date | undefined;
      }[]
    | undefined;
  readonly EncodingType?: string | undefined;
  readonly IsTruncated?: boolean | undefined;
  readonly NextKeyMarker?: string | undefined;
  readonly NextUploadIdMarker?: string | undefined;
}

interface SdkDeleted {
  readonly Deleted?: readonly { readonly Key?: string | undefined }[] | undefined;
  readonly Errors?:
    | readonly {
        readonly Key?: string | undefined;
        readonly Code?: string | undefined;
        readonly Message?: string | undefined;
      }[]
    | undefined;
}

export function storedOf(output: SdkStored): WireStored {
  const customerKey = output.SSECustomerAlgorithm === undefined ? undefined : "SSE-C";
  return {
    etag: plainEtag(output.ETag),
    encryption: customerKey ?? output.ServerSideEncryption,
    answeredAt: answeredAt(output),
  };
}

/** An empty mark is none: it is the same on every object, and would prove that another's is one's own. */
export function factsOf(output: SdkFacts): Omit<WireFacts, "size"> {
  return {
    modifiedAt: output.LastModified,
    etag: plainEtag(output.ETag) || undefined,
    storageClass: output.StorageClass,
  };
}

export function pageOf(output: SdkPage): WirePage {
  const objects = (output.Contents ?? []).map((item) => ({
    key: decodeKey(item.Key, output.EncodingType),
    facts: { ...factsOf(item), size: item.Size },
  }));
  return {
    objects,
    keyCount: output.KeyCount,
    truncated: output.IsTruncated,
    nextToken: output.NextContinuationToken,
  };
}

export function uploadsPageOf(output: SdkUploadsPage): WireUploadsPage {
  return {
    uploads: (output.Uploads ?? []).map((item) => ({
      key: decodeKey(item.Key, output.EncodingType),
      uploadId: item.UploadId,
      begunAt: item.Initiated,
    })),
    truncated: output.IsTruncated,
    nextKeyMarker: decodeKey(output.NextKeyMarker, output.EncodingType),
    nextUploadIdMarker: output.NextUploadIdMarker,
  };
}

export function deletedOf(output: SdkDeleted): WireDeleted {
  return {
    removed: (output.Deleted ?? []).map((item) => item.Key ?? ""),
    failures: (output.Errors ?? []).map((item) => ({
      key: item.Key ?? "",
      code: item.Code ?? "",
      message: item.Message ?? "",
    })),
  };
}

/** ETags travel in quotes, sometimes marked weak; without them they can be compared. */
function plainEtag(etag: string | undefined): string | undefined {
  return etag?.replace(/^W\//, "").replace(/^"(.*)"$/, "$1");
}

/** Undoes `encoding-type=url`, which writes a space as "+"; a server that took no notice of it sent keys as they are. */
function decodeKey(key: string | undefined, encoding: string | undefined): string | undefined {
  if (key === undefined || encoding !== "url") return key;
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch (error) {
    throw new S3Failure(`the listing holds the key '${key}', which is not URL-encoded although it should be`, {
      code: "MalformedListing",
      cause: error,
    });
  }
}

/** Runs one call of the SDK; what it throws becomes an `S3Failure`. */
export async function translated<T>(send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    throw failureOfSdk(error);
  }
}

/** Reads what the SDK throws, of which only names and shapes are promised. A TypeError of ours stays what it is: a bug. */
export function failureOfSdk(error: unknown): unknown {
  if (error instanceof S3Failure || !(error instanceof Error)) return error;
  if (error instanceof TypeError && !("$response" in error) && !("code" in error)) return error;
  const metadata = recordOf(recordOf(error)["$metadata"]);
  const status = numberOf(metadata["httpStatusCode"]);
  const signedAheadMs = signedAhead(error);
  const systemCode = stringOf(recordOf(error)["code"]);
  return new S3Failure(error.message, {
    status,
    // S3's own code is the name of the exception; a transport error has a system code and no status.
    code: status === undefined ? (systemCode ?? error.name) : codeOf(error, status, signedAheadMs),
    region: regionOf(error),
    requestId: stringOf(metadata["requestId"]),
    signedAheadMs,
    // The SDK's exception of an answer holds the whole answer, sockets included, and would fill every log.
    cause: status === undefined ? error : undefined,
  });
}

/** What every provider allows; a second less, because dates have whole seconds. */
const ALLOWED_SKEW_MS = 15 * 60 * 1000 - 1000;

/** A refusal of a request that was signed at another time than the server's is about the clock, also without a body that says so. */
function codeOf(error: Error, status: number, signedAheadMs: number | undefined): string {
  const isRefused = status === 403 || status === 401;
  if (isRefused && Math.abs(signedAheadMs ?? 0) >= ALLOWED_SKEW_MS) return "RequestTimeTooSkewed";
  return stringOf(recordOf(error)["Code"]) ?? error.name;
}

function signedAhead(error: Error): number | undefined {
  const headers = recordOf(recordOf(recordOf(error)["$response"])["headers"]);
  const [signed, answered] = [signedAtOf(error), Date.parse(stringOf(headers["date"]) ?? "")];
  return signed === undefined || Number.isNaN(answered) ? undefined : signed - answered;
}

function regionOf(error: Error): string | undefined {
  const headers = recordOf(recordOf(recordOf(error)["$response"])["headers"]);
  return stringOf(headers["x-amz-bucket-region"]) ?? stringOf(recordOf(error)["Region"]);
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function stringOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
