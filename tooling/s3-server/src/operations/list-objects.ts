import { currentVersion, type ObjectVersion } from "../bucket.ts";
import { requireBucket, type S3Call, type S3Reply } from "../call.ts";
import { S3Error } from "../s3-error.ts";
import { encodePath } from "../sigv4.ts";
import { formatXml, type XmlElement } from "../xml.ts";
import { listInOrder, type Page } from "./list-page.ts";

export function listObjects(call: S3Call): S3Reply {
  if (call.parameter("list-type") !== "2")
    throw new S3Error("InvalidArgument", { message: "Only version 2 of ListObjects is served" });
  const bucket = requireBucket(call);
  const query = readListQuery(call);
  const token = call.parameter("continuation-token");
  const startAfter = call.parameter("start-after") ?? "";
  const after = token === undefined ? startAfter : decodeToken(token);
  const isListed = (key: string): boolean => currentVersion(bucket, key) !== undefined;
  const page = listInOrder(call.state.rules.listingOrder, { ...query, keys: bucket.keys, after, isListed });
  const { encode } = query;
  const { next, truncated } = afterFault(call, page, after);
  const contents = page.keys.flatMap((key) => {
    const version = currentVersion(bucket, key);
    return version === undefined ? [] : [describe(version, encode)];
  });
  const body = formatXml("ListBucketResult", [
    ["Name", bucket.name],
    ["Prefix", encode(query.prefix)],
    ["Delimiter", query.delimiter === "" ? undefined : encode(query.delimiter)],
    ["MaxKeys", query.maxKeys],
    ["EncodingType", query.encodingType],
    ["KeyCount", page.keys.length + page.commonPrefixes.length],
    ["IsTruncated", truncated],
    ["ContinuationToken", token],
    ["NextContinuationToken", next === undefined ? undefined : encodeToken(next)],
    ["StartAfter", startAfter === "" ? undefined : encode(startAfter)],
    ...contents,
    ...page.commonPrefixes.map((prefix): XmlElement => ["CommonPrefixes", [["Prefix", encode(prefix)]]]),
  ]);
  return { status: 200, body };
}

/** Listings that lie, on demand. */
function afterFault(
  { fault: active }: S3Call,
  { truncated, last }: Page,
  after: string,
): { truncated: boolean; next: string | undefined } {
  const type = active?.fault.type;
  if (type === "early-end") return { truncated: false, next: undefined };
  if (type === "no-continuation-token") return { truncated: true, next: undefined };
  if (type === "repeat-page") return { truncated: true, next: after };
  return { truncated, next: truncated ? last : undefined };
}

function describe({ key, modifiedAt, etag, size, facts }: ObjectVersion, encode: (text: string) => string): XmlElement {
  return [
    "Contents",
    [
      ["Key", encode(key)],
      ["LastModified", new Date(modifiedAt).toISOString()],
      ["ETag", `"${etag}"`],
      ["Size", size],
      ["StorageClass", facts.storageClass],
    ],
  ];
}

export interface ListQuery {
  readonly prefix: string;
  readonly delimiter: string;
  readonly maxKeys: number;
  readonly encodingType: string | undefined;
  readonly encode: (text: string) => string;
}

/** The parameters that all listings share. `limitName` is max-keys or max-uploads. */
export function readListQuery(call: S3Call, limitName: "max-keys" | "max-uploads" = "max-keys"): ListQuery {
  const { pageSize } = call.state;
  const limit = call.parameter(limitName) ?? String(pageSize);
  if (!/^\d{1,10}$/.test(limit))
    throw new S3Error("InvalidArgument", {
      message: `Provided ${limitName} not an integer or within integer range`,
      details: { ArgumentName: limitName, ArgumentValue: limit },
    });
  const encodingType = call.parameter("encoding-type");
  if (encodingType !== undefined && encodingType !== "url") {
    throw new S3Error("InvalidArgument", { message: "Invalid Encoding Method specified in Request" });
  }
  return {
    prefix: call.parameter("prefix") ?? "",
    delimiter: call.parameter("delimiter") ?? "",
    maxKeys: Math.min(Number(limit), pageSize),
    encodingType,
    encode: encodingType === "url" ? encodePath : (text) => text,
  };
}

/** Tokens are opaque to clients; a client that takes one for a key fails here. */
function encodeToken(key: string): string {
  return `1${Buffer.from(key).toString("base64")}`;
}

function decodeToken(token: string): string {
  const key = Buffer.from(token.slice(1), "base64").toString();
  if (!token.startsWith("1") || encodeToken(key) !== token) {
    throw new S3Error("InvalidArgument", {
      message: "The continuation token provided is incorrect",
      details: { ArgumentName: "continuation-token" },
    });
  }
  return key;
}
