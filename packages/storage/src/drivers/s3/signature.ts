import { createHash, createHmac } from "node:crypto";
import type { Identity } from "./credential-chain.ts";
import { escapeUri } from "./escape-uri.ts";

/** What a signature covers. */
export interface Signable {
  readonly method: string;
  /** As it travels, beginning with a slash. */
  readonly path: string;
  /** As they are meant. */
  readonly query: Readonly<Record<string, string>>;
  /** Lower-case names; all of them are signed. `x-amz-content-sha256` says what is signed of the body. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface SigningPlace {
  readonly region: string;
  readonly identity: Identity;
  readonly at: Date;
}

/** The headers of a request and its signature of version 4 (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). */
export type Sign = (request: Signable, place: SigningPlace) => Record<string, string>;

/** Keeps the key of the day, which takes four digests to make. */
export function createSigner(): Sign {
  let last: { readonly of: string; readonly key: Buffer } | undefined;
  const keyFor = ({ secretAccessKey }: Identity, day: string, region: string): Buffer => {
    const of = `${day} ${region} ${secretAccessKey}`;
    if (last?.of !== of) last = { of, key: signingKey(secretAccessKey, day, region) };
    return last.key;
  };
  return ({ method, path, query, headers }, { region, identity, at }) => {
    const time = formatTime(at);
    const day = time.slice(0, 8);
    const signed: Record<string, string> = {
      ...headers,
      "x-amz-date": time,
      ...(identity.sessionToken !== undefined && { "x-amz-security-token": identity.sessionToken }),
    };
    const names = Object.keys(signed).sort();
    const canonical = [
      method,
      path,
      canonicalQuery(query),
      ...names.map((name) => `${name}:${(signed[name] ?? "").trim().replace(/ +/g, " ")}`),
      "",
      names.join(";"),
      signed["x-amz-content-sha256"] ?? "",
    ].join("\n");
    const scope = `${day}/${region}/s3/aws4_request`;
    const text = ["AWS4-HMAC-SHA256", time, scope, sha256Hex(canonical)].join("\n");
    const signature = hmac(keyFor(identity, day, region), text).toString("hex");
    return {
      ...signed,
      authorization: `AWS4-HMAC-SHA256 Credential=${identity.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
    };
  };
}

/** Lower-case hexadecimal. */
export function sha256Hex(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** `20130524T000000Z`. */
function formatTime(at: Date): string {
  return at.toISOString().replace(/[-:]|\.\d{3}/g, "");
}

function signingKey(secretAccessKey: string, day: string, region: string): Buffer {
  return [day, region, "s3", "aws4_request"].reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey}`));
}

function canonicalQuery(query: Signable["query"]): string {
  return Object.entries(query)
    .map(([name, value]) => `${escapeUri(name)}=${escapeUri(value)}`)
    .sort()
    .join("&");
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
