import { createHash } from "node:crypto";
import { countOf, deletedOf, documentOf, factsOf, pageOf, storedOf, uploadsPageOf } from "./answer-values.ts";
import { openRequests } from "./open-requests.ts";
import type { OnDate, S3Request, S3Requests } from "./requests.ts";
import type { S3Settings } from "./settings.ts";
import type { ChangingWire } from "./through-renewal.ts";
import type { TransportCall } from "./transport-call.ts";
import type { BodyManner, RawS3Wire, WirePart, WirePut, WireStored } from "./wire.ts";
import { escapeXml, textOf } from "./xml.ts";

/**
 * The protocol as it is sent. It does single requests: retries, limits and meanings are decided elsewhere. `chain` is there where
 * the credentials may change.
 */
export function createS3Wire(settings: S3Settings, onDate: OnDate): ChangingWire {
  const { requests, chain } = openRequests(settings, onDate);
  const kept = keepingHeaders(settings);
  const wire = {
    ...objectCalls(requests, kept),
    ...listingCalls(requests),
    ...uploadCalls(requests, kept),
    ...removalCalls(requests),
    close: () => requests.close(),
  };
  return { wire, chain };
}

type Headers = NonNullable<S3Request["headers"]>;

function objectCalls(
  requests: S3Requests,
  kept: Headers,
): Pick<RawS3Wire, "putObject" | "getObject" | "headObject" | "headBucket"> {
  return {
    putObject: async (request) => {
      const headers = { ...kept, "content-type": "application/octet-stream", ...condition(request.ifNoneMatch) };
      return await storing(requests, request, { headers });
    },
    getObject: async ({ key, range, whole, signal }) => {
      const call = { ...underSignal(signal), whole };
      const answer = await requests.open({ method: "GET", key, headers: { range }, call });
      const { status, headers, body } = answer;
      return {
        ...factsOf(answer),
        status,
        contentLength: countOf(headers["content-length"]),
        contentRange: headers["content-range"],
        body,
        discard: () => void body.destroy(),
      };
    },
    headObject: async ({ key, signal }) => {
      const answer = await requests.read({ method: "HEAD", key, call: underSignal(signal) });
      return { ...factsOf(answer), size: countOf(answer.headers["content-length"]) };
    },
    headBucket: async ({ signal }) => void (await requests.read({ method: "HEAD", call: underSignal(signal) })),
  };
}

/** Keys travel URL-encoded, because XML cannot carry every character of a key. */
const ENCODED = { "encoding-type": "url" } as const;

function listingCalls(requests: S3Requests): Pick<RawS3Wire, "listPage" | "listUploads"> {
  return {
    listPage: async ({ prefix, startAfter, token, maxKeys, signal }) => {
      const query = {
        ...ENCODED,
        "list-type": "2",
        "max-keys": String(maxKeys),
        prefix,
        "start-after": startAfter,
        "continuation-token": token,
      };
      return pageOf(documentOf(await requests.read({ method: "GET", query, call: underSignal(signal) })));
    },
    listUploads: async ({ prefix, keyMarker, uploadIdMarker, signal }) => {
      const query = { ...ENCODED, uploads: "", prefix, "key-marker": keyMarker, "upload-id-marker": uploadIdMarker };
      return uploadsPageOf(documentOf(await requests.read({ method: "GET", query, call: underSignal(signal) })));
    },
  };
}

function uploadCalls(
  requests: S3Requests,
  kept: Headers,
): Pick<RawS3Wire, "createUpload" | "uploadPart" | "completeUpload" | "abortUpload" | "listParts"> {
  return {
    createUpload: async ({ key, signal }) => {
      const request = {
        method: "POST",
        key,
        query: { uploads: "" },
        headers: kept,
        call: underSignal(signal),
      } as const;
      return textOf(documentOf(await requests.read(request)), "UploadId");
    },
    uploadPart: async (request) => {
      const query = { partNumber: String(request.partNumber), uploadId: request.uploadId };
      const headers = { "content-type": "application/octet-stream" };
      return await storing(requests, request, { query, headers });
    },
    completeUpload: async ({ key, uploadId, parts, ifNoneMatch, signal }) => {
      const list = parts.map(
        ({ partNumber, etag }) =>
          `<Part><ETag>${escapeXml(`"${etag}"`)}</ETag><PartNumber>${partNumber}</PartNumber></Part>`,
      );
      const answer = await requests.read({
        method: "POST",
        key,
        query: { uploadId },
        headers: { "content-type": "application/xml", ...condition(ifNoneMatch) },
        body: xmlBody("CompleteMultipartUpload", list.join("")),
        call: underSignal(signal),
      });
      return storedOf(answer, textOf(documentOf(answer), "ETag"));
    },
    abortUpload: async ({ key, uploadId, signal }) =>
      void (await requests.read({ method: "DELETE", key, query: { uploadId }, call: underSignal(signal) })),
    listParts: async ({ key, uploadId, signal }) => {
      const query = { "max-parts": "1", uploadId };
      await requests.read({ method: "GET", key, query, call: underSignal(signal) });
    },
  };
}

function removalCalls(requests: S3Requests): Pick<RawS3Wire, "deleteObject" | "deleteObjects"> {
  return {
    deleteObject: async ({ key, signal }) =>
      void (await requests.read({ method: "DELETE", key, call: underSignal(signal) })),
    deleteObjects: async ({ keys, signal }) => {
      const list = keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`);
      const body = xmlBody("Delete", `${list.join("")}<Quiet>false</Quiet>`);
      // The proof that every provider knows; B2, Scality and others refuse the newer ones.
      const headers = {
        "content-type": "application/xml",
        "content-md5": createHash("md5").update(body).digest("base64"),
      };
      const request = { method: "POST", query: { delete: "" }, headers, body, call: underSignal(signal) } as const;
      return deletedOf(documentOf(await requests.read(request)));
    },
  };
}

/** Sends a body the way that this server takes it. */
async function storing(
  requests: S3Requests,
  request: (WirePut | WirePart) & BodyManner,
  { query, headers }: Pick<S3Request, "query" | "headers">,
): Promise<WireStored> {
  const { key, body, contentMd5, signBody, sendMd5, signal, expectContinue, onExpectation } = request;
  const whenBegun = "whenBegun" in request ? request.whenBegun : undefined;
  const answer = await requests.read({
    method: "PUT",
    key,
    query,
    headers: { ...headers, ...(sendMd5 && { "content-md5": contentMd5 }) },
    body,
    isUnsigned: !signBody,
    call: { ...underSignal(signal), expectContinue, onExpectation, whenBegun },
  });
  return storedOf(answer, answer.headers["etag"]);
}

/** How an object is to be kept. */
function keepingHeaders({ serverSideEncryption: encryption, storageClass }: S3Settings): Headers {
  return {
    "x-amz-server-side-encryption": encryption?.mode,
    "x-amz-server-side-encryption-aws-kms-key-id": encryption?.mode === "aws:kms" ? encryption.keyId : undefined,
    "x-amz-storage-class": storageClass,
  };
}

/** "Only if absent". */
function condition(ifNoneMatch: boolean): Headers {
  return ifNoneMatch ? { "if-none-match": "*" } : {};
}

/** What the transport is told of a request that may be stopped. */
export function underSignal(signal: AbortSignal | undefined): TransportCall {
  return signal === undefined ? {} : { abortSignal: signal };
}

function xmlBody(name: string, content: string): Buffer {
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?><${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${name}>`,
  );
}
