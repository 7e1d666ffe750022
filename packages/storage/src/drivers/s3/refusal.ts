import type { TransportResponse } from "./transport-response.ts";
import { S3Failure } from "./wire.ts";
import { elementOf, parseXml, textOf, type XmlElement } from "./xml.ts";

/** What every provider allows; a second less, because dates have whole seconds. */
const ALLOWED_SKEW_MS = 15 * 60 * 1000 - 1000;

/** Of an answer that is no error document, so much is told. */
const SHOWN_CHARACTERS = 200;

/** The failure that an answer means which is none of success. */
export function refusalOf(
  { statusCode: status, headers }: Pick<TransportResponse, "statusCode" | "headers">,
  body: string,
  signedAt: Date,
): S3Failure {
  const error = errorIn(body);
  const answeredAt = Date.parse(headers["date"] ?? "");
  const signedAheadMs = Number.isNaN(answeredAt) ? undefined : secondsOf(signedAt) - answeredAt;
  return new S3Failure((error && textOf(error, "Message")) || shown(body) || "no message", {
    status,
    code: codeOf(status, error, signedAheadMs),
    region: headers["x-amz-bucket-region"] || (error && textOf(error, "Region")) || undefined,
    requestId: headers["x-amz-request-id"] || (error && textOf(error, "RequestId")) || undefined,
    signedAheadMs,
  });
}

/** The error that a document tells of, whatever its status; undefined for any other. */
function errorIn(body: string): XmlElement | undefined {
  if (body === "") return undefined;
  let root: XmlElement;
  try {
    root = parseXml(body);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return root.name === "Error" ? root : elementOf(root, "Error");
}

/** A refusal of a request that was signed at another time than the server's is about the clock, also without a body that says so. */
function codeOf(status: number, error: XmlElement | undefined, signedAheadMs: number | undefined): string {
  const isRefused = status === 403 || status === 401;
  if (isRefused && Math.abs(signedAheadMs ?? 0) >= ALLOWED_SKEW_MS) return "RequestTimeTooSkewed";
  return (error && textOf(error, "Code")) || (status === 404 ? "NotFound" : "UnknownError");
}

function secondsOf(at: Date): number {
  return Math.floor(at.getTime() / 1000) * 1000;
}

function shown(body: string): string {
  return body.replace(/\s+/g, " ").trim().slice(0, SHOWN_CHARACTERS);
}
