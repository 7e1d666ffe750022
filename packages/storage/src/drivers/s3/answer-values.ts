import type { S3Answer, S3ReadAnswer } from "./requests.ts";
import {
  S3Failure,
  type WireDeleted,
  type WireFacts,
  type WirePage,
  type WireStored,
  type WireUploadsPage,
} from "./wire.ts";
import { elementsOf, parseXml, textOf, type XmlElement } from "./xml.ts";

type Answered = Pick<S3Answer, "headers" | "status">;

/** The document of an answer. Throws an `S3Failure` that has the answer's status for what is none. */
export function documentOf({ status, text }: S3ReadAnswer): XmlElement {
  try {
    return parseXml(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new S3Failure(error.message, { status, code: "MalformedAnswer", cause: error });
  }
}

/** What an answer says of a body that was stored. The mark stands in its head, or, of an upload's completion, in the document. */
export function storedOf({ headers }: Answered, etag: string | undefined): WireStored {
  const customerKey = headers["x-amz-server-side-encryption-customer-algorithm"];
  return {
    etag: plainEtag(etag),
    encryption: customerKey === undefined ? headers["x-amz-server-side-encryption"] : "SSE-C",
    answeredAt: dateOf(headers["date"]),
  };
}

/** What the head of an answer says of an object. */
export function factsOf({ headers }: Answered): Omit<WireFacts, "size"> {
  return {
    modifiedAt: dateOf(headers["last-modified"]),
    etag: markOf(headers["etag"]),
    storageClass: headers["x-amz-storage-class"],
  };
}

/** A number that a header or an element has; undefined for what is none. */
export function countOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,16}$/.test(text.trim()) ? Number(text) : undefined;
}

export function pageOf(page: XmlElement): WirePage {
  const encoding = textOf(page, "EncodingType");
  const objects = elementsOf(page, "Contents").map((item) => ({
    key: decodeKey(textOf(item, "Key"), encoding),
    facts: {
      size: countOf(textOf(item, "Size")),
      modifiedAt: dateOf(textOf(item, "LastModified")),
      etag: markOf(textOf(item, "ETag")),
      storageClass: textOf(item, "StorageClass"),
    },
  }));
  return {
    objects,
    keyCount: countOf(textOf(page, "KeyCount")),
    truncated: truthOf(textOf(page, "IsTruncated")),
    nextToken: textOf(page, "NextContinuationToken"),
  };
}

export function uploadsPageOf(page: XmlElement): WireUploadsPage {
  const encoding = textOf(page, "EncodingType");
  return {
    uploads: elementsOf(page, "Upload").map((item) => ({
      key: decodeKey(textOf(item, "Key"), encoding),
      uploadId: textOf(item, "UploadId"),
      begunAt: dateOf(textOf(item, "Initiated")),
    })),
    truncated: truthOf(textOf(page, "IsTruncated")),
    nextKeyMarker: decodeKey(textOf(page, "NextKeyMarker"), encoding),
    nextUploadIdMarker: textOf(page, "NextUploadIdMarker"),
  };
}

export function deletedOf(result: XmlElement): WireDeleted {
  return {
    removed: elementsOf(result, "Deleted").map((item) => textOf(item, "Key") ?? ""),
    failures: elementsOf(result, "Error").map((item) => ({
      key: textOf(item, "Key") ?? "",
      code: textOf(item, "Code") ?? "",
      message: textOf(item, "Message") ?? "",
    })),
  };
}

/** An empty mark is none: it is the same on every object, and would prove that another's is one's own. */
function markOf(etag: string | undefined): string | undefined {
  return plainEtag(etag) || undefined;
}

/** ETags travel in quotes, sometimes marked weak; without them they can be compared. */
function plainEtag(etag: string | undefined): string | undefined {
  return etag?.replace(/^W\//, "").replace(/^"(.*)"$/, "$1");
}

/** A moment that a header or an element names; undefined for what is none. */
export function dateOf(text: string | undefined): Date | undefined {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? undefined : new Date(time);
}

export function truthOf(text: string | undefined): boolean | undefined {
  return text === "true" ? true : text === "false" ? false : undefined;
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
