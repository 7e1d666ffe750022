import { S3Failure } from "./wire.ts";

/** ETags travel in quotes, sometimes marked weak; without them they can be compared. */
export function plainEtag(etag: string | undefined): string | undefined {
  return etag?.replace(/^W\//, "").replace(/^"(.*)"$/, "$1");
}

/** Undoes `encoding-type=url`, which writes a space as "+"; a server that took no notice of it sent keys as they are. */
export function decodeKey(key: string | undefined, encoding: string | undefined): string | undefined {
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

/** Reads what the SDK throws, of which only names and shapes are promised. A TypeError of ours stays what it is: a bug. */
export function failureOfSdk(error: unknown): unknown {
  if (error instanceof S3Failure || !(error instanceof Error)) return error;
  if (error instanceof TypeError && !("$response" in error) && !("code" in error)) return error;
  const metadata = recordOf(recordOf(error)["$metadata"]);
  const status = numberOf(metadata["httpStatusCode"]);
  const systemCode = stringOf(recordOf(error)["code"]);
  return new S3Failure(error.message, {
    status,
    // S3's own code is the name of the exception; a transport error has a system code and no status.
    code: status === undefined ? (systemCode ?? error.name) : (stringOf(recordOf(error)["Code"]) ?? error.name),
    region: regionOf(error),
    requestId: stringOf(metadata["requestId"]),
    // The SDK's exception of an answer holds the whole answer, sockets included, and would fill every log.
    cause: status === undefined ? error : undefined,
  });
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
