import { timingSafeEqual } from "node:crypto";
import type { ParsedRequest } from "./parse-request.ts";
import type { PayloadProof, ServerState } from "./call.ts";
import type { S3Credential } from "./credential.ts";
import { S3Error } from "./s3-error.ts";
import {
  canonicalRequest,
  formatScope,
  parseTimestamp,
  signature,
  signingKey,
  stringToSign,
  type CredentialScope,
} from "./sigv4.ts";

const MAX_SKEW_MS = 15 * 60 * 1000;
const MAX_PRESIGNED_SECONDS = 7 * 24 * 3600;

/** What a request says about its own signature, from the Authorization header or from the query. */
interface Claim {
  readonly accessKeyId: string;
  readonly scope: CredentialScope;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly timestamp: string;
  readonly sessionToken: string | undefined;
  readonly payloadHash: string;
  /** Only for presigned requests. */
  readonly expiresSeconds: number | undefined;
}

export interface Authenticated {
  readonly caller: S3Credential;
  readonly proof: PayloadProof;
}

/** Proves who sent the request and that nobody changed it, as S3 does: signature version 4 only. */
export function authenticate(request: ParsedRequest, state: ServerState): Authenticated {
  const authorization = request.header("authorization");
  const presigned = request.parameter("X-Amz-Algorithm") !== undefined;
  if (authorization === undefined && !presigned) throw new S3Error("AccessDenied");
  if (authorization !== undefined && presigned) {
    throw new S3Error("InvalidArgument", {
      message:
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header should be specified",
    });
  }
  const claim = authorization === undefined ? claimOfQuery(request) : claimOfHeader(request, authorization);
  const caller = state.credentials.find(({ accessKeyId }) => accessKeyId === claim.accessKeyId);
  if (caller === undefined)
    throw new S3Error(state.rules.unknownKey, { details: { AWSAccessKeyId: claim.accessKeyId } });
  checkScope(claim, request, state);
  checkTime(claim, state.now());
  checkToken(claim, caller, state.now());
  checkSignedHeaders(claim, request, presigned);
  const key = signingKey(caller.secretAccessKey, claim.scope);
  checkSignature(claim, request, key);
  const { unsignedPayload } = state.rules;
  if (unsignedPayload !== "accepted" && !presigned && claim.payloadHash === "UNSIGNED-PAYLOAD")
    throw new S3Error(unsignedPayload);
  const signing = { key, scope: formatScope(claim.scope), timestamp: claim.timestamp, seed: claim.signature };
  return { caller, proof: { payloadHash: claim.payloadHash, signing } };
}

function claimOfHeader(request: ParsedRequest, authorization: string): Claim {
  const match =
    /^AWS4-HMAC-SHA256\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-f]{64})$/.exec(
      authorization,
    );
  if (match === null) {
    if (authorization.startsWith("AWS ")) {
      throw new S3Error("InvalidRequest", {
        message: "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
      });
    }
    throw new S3Error("AuthorizationHeaderMalformed");
  }
  const [, credential = "", signedHeaders = "", given = ""] = match;
  const timestamp = request.header("x-amz-date") ?? "";
  if (parseTimestamp(timestamp) === undefined) {
    throw new S3Error("AccessDenied", { message: "AWS authentication requires a valid Date or x-amz-date header" });
  }
  const payloadHash = request.header("x-amz-content-sha256");
  if (payloadHash === undefined) {
    throw new S3Error("InvalidRequest", { message: "Missing required header for this request: x-amz-content-sha256" });
  }
  return {
    ...parseCredential(credential, "AuthorizationHeaderMalformed"),
    signedHeaders: signedHeaders.split(";"),
    signature: given,
    timestamp,
    sessionToken: request.header("x-amz-security-token"),
    payloadHash,
    expiresSeconds: undefined,
  };
}

function claimOfQuery(request: ParsedRequest): Claim {
  const parameter = (name: string): string => {
    const value = request.parameter(name);
    if (value !== undefined && value !== "") return value;
    throw new S3Error("AuthorizationQueryParametersError", {
      message:
        "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
    });
  };
  const expiresSeconds = Number(parameter("X-Amz-Expires"));
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > MAX_PRESIGNED_SECONDS) {
    throw new S3Error("AuthorizationQueryParametersError", {
      message: "X-Amz-Expires must be a number of seconds between 1 and 604800",
    });
  }
  if (parameter("X-Amz-Algorithm") !== "AWS4-HMAC-SHA256" || parseTimestamp(parameter("X-Amz-Date")) === undefined) {
    throw new S3Error("AuthorizationQueryParametersError", {
      message: 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"; X-Amz-Date must be in the ISO8601 Long Format',
    });
  }
  return {
    ...parseCredential(parameter("X-Amz-Credential"), "AuthorizationQueryParametersError"),
    signedHeaders: parameter("X-Amz-SignedHeaders").split(";"),
    signature: parameter("X-Amz-Signature"),
    timestamp: parameter("X-Amz-Date"),
    sessionToken: request.parameter("X-Amz-Security-Token"),
    payloadHash:
      request.header("x-amz-content-sha256") ?? request.parameter("X-Amz-Content-Sha256") ?? "UNSIGNED-PAYLOAD",
    expiresSeconds,
  };
}

function parseCredential(
  credential: string,
  code: "AuthorizationHeaderMalformed" | "AuthorizationQueryParametersError",
): Pick<Claim, "accessKeyId" | "scope"> {
  const [accessKeyId, date, region, service, terminator, ...rest] = credential.split("/");
  if (
    accessKeyId === undefined ||
    date === undefined ||
    region === undefined ||
    service === undefined ||
    terminator !== "aws4_request" ||
    rest.length > 0
  ) {
    throw new S3Error(code, {
      message:
        'The authorization header is malformed; the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
    });
  }
  return { accessKeyId, scope: { date, region, service } };
}

function checkScope(
  { scope, timestamp }: Claim,
  { bucketName }: ParsedRequest,
  { rules, region, buckets }: ServerState,
): void {
  const malformed = (fact: string, details?: Record<string, string>): S3Error =>
    new S3Error("AuthorizationHeaderMalformed", {
      message: `The authorization header is malformed; ${fact}`,
      ...(details && { details }),
    });
  if (scope.service !== "s3") throw malformed(`incorrect service "${scope.service}". This endpoint belongs to "s3".`);
  if (!timestamp.startsWith(scope.date))
    throw malformed(
      `Invalid credential date "${scope.date}". This date is not the same as X-Amz-Date: "${timestamp.slice(0, 8)}".`,
    );
  if (rules.regions === "any" || scope.region === region) return;
  if (rules.regions !== "own" && rules.regions.includes(scope.region)) return;
  // A bucket elsewhere is answered with a redirect, not with a complaint about the signature that suits it.
  if (buckets.get(bucketName)?.region === scope.region) return;
  throw malformed(`the region '${scope.region}' is wrong; expecting '${region}'`, { Region: region });
}

function checkTime({ timestamp, expiresSeconds }: Claim, now: number): void {
  const requested = parseTimestamp(timestamp) ?? 0;
  const details = {
    RequestTime: timestamp,
    ServerTime: new Date(now).toISOString().replace(/\.\d+/, ""),
    MaxAllowedSkewMilliseconds: String(MAX_SKEW_MS),
  };
  if (expiresSeconds === undefined) {
    if (Math.abs(now - requested) > MAX_SKEW_MS) throw new S3Error("RequestTimeTooSkewed", { details });
    return;
  }
  if (requested - now > MAX_SKEW_MS)
    throw new S3Error("AccessDenied", { message: "Request is not yet valid", details });
  if (now > requested + expiresSeconds * 1000)
    throw new S3Error("AccessDenied", { message: "Request has expired", details });
}

function checkToken({ sessionToken }: Claim, caller: S3Credential, now: number): void {
  if (sessionToken !== caller.sessionToken) {
    // Temporary keys without their token do not exist as far as S3 is concerned.
    throw new S3Error(sessionToken === undefined ? "InvalidAccessKeyId" : "InvalidToken");
  }
  if (caller.expiresAt !== undefined && now >= caller.expiresAt) throw new S3Error("ExpiredToken");
}

function checkSignedHeaders({ signedHeaders }: Claim, request: ParsedRequest, presigned: boolean): void {
  const unsigned = request.headerNames.filter(
    (name) =>
      (name === "host" || (name.startsWith("x-amz-") && !(presigned && name === "x-amz-content-sha256"))) &&
      !signedHeaders.includes(name),
  );
  if (unsigned.length === 0) return;
  throw new S3Error("AccessDenied", {
    message: "There were headers present in the request which were not signed",
    details: { HeadersNotSigned: unsigned.join(", ") },
  });
}

function checkSignature(claim: Claim, request: ParsedRequest, key: Buffer): void {
  const canonical = canonicalRequest({
    method: request.method,
    path: request.path,
    query: request.query.filter(([name]) => name !== "X-Amz-Signature"),
    signedHeaders: claim.signedHeaders,
    header: request.header,
    payloadHash: claim.payloadHash,
  });
  const text = stringToSign(canonical, claim.timestamp, claim.scope);
  const expected = Buffer.from(signature(key, text));
  const given = Buffer.from(claim.signature);
  if (given.length === expected.length && timingSafeEqual(given, expected)) return;
  throw new S3Error("SignatureDoesNotMatch", {
    details: {
      AWSAccessKeyId: claim.accessKeyId,
      StringToSign: text,
      SignatureProvided: claim.signature,
      CanonicalRequest: canonical,
    },
  });
}
